import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { fail } from "./terminal.ts";

const write = process.stderr.write.bind(process.stderr);
afterEach(() => {
  process.stderr.write = write;
});

/** What `fail` says of what `work` throws. */
function said(work: () => unknown): string {
  let text = "";
  try {
    work();
  } catch (error) {
    process.stderr.write = (chunk: string | Uint8Array) => {
      text += String(chunk);
      return true;
    };
    fail("program", error);
  }
  process.stderr.write = write;
  return text;
}

test("what the system refuses is said in one line with what to do; a fault of ours shows its stack", () => {
  expect(said(() => readFileSync("/no/such/file"))).toMatch(
    /^program: ENOENT: .*'\/no\/such\/file'; there is no such file or folder: [^\n]*\n$/,
  );
  expect(
    said(() => {
      throw new TypeError("ours");
    }),
  ).toMatch(/TypeError: ours\n +at /);
});
