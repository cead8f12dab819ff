import fc from "fast-check";
import { expect, test } from "vitest";
import { receiverSettings } from "../../config.ts";
import { temporaryNames } from "./temporary.ts";

const byDefault = temporaryNames(receiverSettings.parse({}).sftp.temporary);

test.for([
  ["report.csv.filepart", true],
  ["report.csv.part", true],
  ["report.csv.partial", true],
  ["REPORT.TMP", true],
  [".report.csv.q7Xk2w", true],
  [".part", true],
  ["_report.csv", true],
  ["...", true],
  ["..hidden", true],
  ["a/b\n.tmp", false],
  ["new\nline.tmp", true],
  ["report.csv", false],
  ["tmp", false],
  ["report.tmp.csv", false],
  ["a_b", false],
  ["part", false],
  ["*.tmpx", false],
  ["", false],
] as const)("%j: %s", ([name, temporary]) => {
  expect(byDefault(Buffer.from(name))).toBe(temporary);
});

test("bytes that are no UTF-8 are matched by those around them", () => {
  expect(byDefault(Buffer.from("ff2e746d70", "hex"))).toBe(true);
  expect(byDefault(Buffer.from("2eff", "hex"))).toBe(true);
  expect(byDefault(Buffer.from("ffff", "hex"))).toBe(false);
});

test("an empty list calls no name temporary, a list of our own those that it says", () => {
  expect(temporaryNames([])(Buffer.from(".x.tmp"))).toBe(false);
  const own = temporaryNames(["*.uploading", "!*.csv"]);
  expect(["a.UPLOADING", "a.csv", "!a.csv", ".x"].map((name) => own(Buffer.from(name)))).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test("no name takes long, whatever it is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
      const name = Buffer.from(bytes).toString("latin1").replaceAll("/", "_");
      expect(byDefault(Buffer.from(`x${name}`, "latin1"))).toBe(/\.(filepart|part|partial|tmp)$/i.test(name));
    }),
    { numRuns: 50 },
  );
});
