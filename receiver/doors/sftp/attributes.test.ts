import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attributesOf, type Look, nameOf, timeOf } from "./attributes.ts";

const FILE: Look = { kind: "file", size: 5, modified: 0, readable: true, writable: true };

describe("attributes", () => {
  test.for<readonly [Partial<Look>, string]>([
    [{}, "100660"],
    [{ writable: false }, "100440"],
    [{ readable: false }, "100220"],
    [{ readable: false, writable: false }, "100000"],
    [{ kind: "folder" }, "40770"],
    [{ kind: "folder", writable: false }, "40550"],
  ])("%o have mode %s", ([look, mode]) => {
    expect(attributesOf({ ...FILE, ...look }).permissions?.toString(8)).toBe(mode);
  });

  test("any time fits into 32 bits", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (modified) => {
        const { modified: seconds = -1 } = attributesOf({ ...FILE, modified });
        expect(Number.isInteger(seconds) && seconds >= 0 && seconds <= 0xffffffff).toBe(true);
      }),
    );
  });

  test("a time that a client told is told to it again", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (seconds) => {
        expect(attributesOf({ ...FILE, modified: Date.parse(timeOf(seconds)) }).modified).toBe(seconds);
      }),
    );
  });
});

describe("the line of ls -l", () => {
  const now = Date.parse("2026-06-15T12:00:00Z");
  const line = (look: Partial<Look>): string =>
    nameOf(Buffer.from("a.csv"), { ...FILE, ...look }, "dairy", now).line;

  test.for<readonly [Partial<Look>, string]>([
    [
      { modified: Date.parse("2026-06-01T08:05:00Z") },
      "-rw-rw----    1 dairy    dairy           5 Jun  1 08:05 ",
    ],
    [
      { modified: Date.parse("2025-11-20T08:05:00Z"), size: 2 ** 40 },
      "-rw-rw----    1 dairy    dairy    1099511627776 Nov 20  2025 ",
    ],
    [
      { modified: Date.parse("2027-11-20T08:05:00Z") },
      "-rw-rw----    1 dairy    dairy           5 Nov 20  2027 ",
    ],
    [
      { kind: "folder", size: 0, writable: false, modified: now },
      "dr-xr-x---    1 dairy    dairy           0 Jun 15 12:00 ",
    ],
  ])("%o", ([look, text]) => {
    expect(line(look)).toBe(text);
  });
});
