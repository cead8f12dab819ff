import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodePath,
  displayPath,
  encodePath,
  pathFault,
  pathForUrl,
  percentDecode,
  requirePath,
} from "./path.ts";

const anyBytes = fc.uint8Array({ minLength: 0, maxLength: 300 });
/** Bytes that are often nearly UTF-8: where an encoder that is not injective would be caught. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 4 }).map((s) => [...Buffer.from(s)]),
      fc.constantFrom(
        [0xed, 0xa0, 0x80],
        [0xc0, 0xaf],
        [0xf4, 0x90, 0x80, 0x80],
        [0xe2, 0x82],
        [0x25, 0x41],
        [0x5c],
        [0x3d],
      ),
    ),
    { maxLength: 20 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));
const bytes = fc.oneof(anyBytes, nearlyUtf8);

describe("the path codec", () => {
  test("round-trips every byte string", () => {
    fc.assert(
      fc.property(bytes, (b) => {
        expect(decodePath(encodePath(b)).equals(b)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("is injective", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(encodePath(a) === encodePath(b)).toBe(Buffer.compare(a, b) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  test("leaves only unreserved characters, %XX and non-ASCII text", () => {
    fc.assert(
      fc.property(bytes, (b) => {
        expect(encodePath(b)).toMatch(/^(?:[A-Za-z0-9\-._~/]|%[0-9A-F]{2}|[^\0-\x7f])*$/u);
      }),
    );
  });

  test("a URL carries the same bytes", () => {
    fc.assert(
      fc.property(bytes, (b) => {
        const url = pathForUrl(b);
        expect(url).toMatch(/^[\x21-\x7e]*$/);
        expect(percentDecode(url).equals(b)).toBe(true);
      }),
    );
  });

  test.for([
    ["sales/2026.csv", "sales/2026.csv"],
    ["a=b.csv", "a%3Db.csv"],
    ["100 %+\\.txt", "100%20%25%2B%5C.txt"],
    ["Umsätze/Größe.xlsx", "Umsätze/Größe.xlsx"],
    ["line\nbreak", "line%0Abreak"],
    ["CON.txt ...", "CON.txt%20..."],
  ] as const)("golden: %s", ([plain, encoded]) => {
    expect(encodePath(Buffer.from(plain))).toBe(encoded);
  });

  test.for([
    [[0xff, 0x41], "%FFA"],
    [[0xed, 0xa0, 0x80], "%ED%A0%80"],
    [[0xc3], "%C3"],
    [[0xc0, 0xaf], "%C0%AF"],
    [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
    [[0xf4, 0x8f, 0xbf, 0xbf], "\u{10ffff}"],
  ] as const)("golden bytes: %j", ([raw, encoded]) => {
    expect(encodePath(Uint8Array.from(raw))).toBe(encoded);
  });

  test("Unicode is not normalised and case is not folded", () => {
    expect(encodePath(Buffer.from("é"))).not.toBe(encodePath(Buffer.from("e\u0301")));
    expect(encodePath(Buffer.from("A"))).not.toBe(encodePath(Buffer.from("a")));
  });

  test.for(["%41", "a b", "%c3%a4", "%C3%A4", "a=b", "%", "%4", "a\\b"])("%s is not canonical", (text) => {
    expect(() => decodePath(text)).toThrow(expect.objectContaining({ code: "path-invalid" }));
  });

  test("ill-formed bytes read as U+FFFD", () => {
    expect(displayPath(Uint8Array.from([0x61, 0xff, 0x62]))).toBe("a\ufffdb");
  });
});

describe("what cannot be a path inside a source", () => {
  test.for([
    "",
    "/",
    "/etc/passwd",
    "a//b",
    "a/",
    "//",
    ".",
    "..",
    "./a",
    "a/./b",
    "a/..",
    "../a",
    "a/../../b",
    "..\\a",
    "a\\..\\b",
    "a\\.",
    "C:",
    "c:/x",
    "a/C:/b",
    "C:\\x",
    "a\0b",
    "x".repeat(4097),
  ])("%j is refused", (text) => {
    expect(pathFault(Buffer.from(text))).toBeTypeOf("string");
    expect(() => requirePath(Buffer.from(text))).toThrow(expect.objectContaining({ code: "path-invalid" }));
  });

  test.for([
    "a",
    "...",
    "..a",
    "a..",
    ".hidden",
    "a/.../b",
    "CON.txt",
    "nul",
    "name.",
    "name ",
    "a=b",
    "a:b",
    "C:x",
    "\\share",
    "a\\b",
    "new\nline",
    "~",
    "x".repeat(4096),
    '*?<>|"',
  ])("%j is delivered", (text) => {
    expect(pathFault(Buffer.from(text))).toBeUndefined();
  });

  test("names that are not UTF-8 are delivered", () => {
    expect(pathFault(Uint8Array.from([0xff, 0xfe, 0x2f, 0x80]))).toBeUndefined();
  });
});
