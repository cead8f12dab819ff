import { encodePath } from "@tributary/shared/path.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { objectKey, segmentKey, utcDay } from "./key.ts";

const versionId = "01985a3c-7e00-7abc-8def-0123456789ab";
const keyOf = (path: string | Uint8Array): string =>
  objectKey({
    client: "demo",
    source: "pos",
    date: "2026-01-02",
    versionId,
    pathEncoded: encodePath(typeof path === "string" ? Buffer.from(path) : path),
  });
const head = `raw/client=demo/source=pos/date=2026-01-02/${versionId}/`;

describe("golden keys", () => {
  test.for([
    ["a.csv", "a.csv"],
    ["2026/Jänner/日本.csv", "2026/Jänner/日本.csv"],
    ["date=2020-01-01/a=b.csv", "date%3D2020-01-01/a%3Db.csv"],
    ["100% sure+.txt", "100%25%20sure%2B.txt"],
    ["back\\slash", "back%5Cslash"],
    [`${"x".repeat(200)}`, "x".repeat(200)],
    [`${"x".repeat(197)}.csv`, `${"x".repeat(134)}~9c85bba7e9fae55c~${"x".repeat(44)}.csv`],
    [
      `${`${"d".repeat(150)}/`.repeat(8)}end.parquet`,
      `${`${"d".repeat(150)}/`.repeat(5)}~0026f7d3f319ac08~/end.parquet`,
    ],
  ] as const)("%s", ([path, key]) => {
    expect(keyOf(path)).toBe(head + key);
  });

  test("manifest and day", () => {
    expect(segmentKey({ date: "2026-01-02", id: versionId })).toBe(
      `manifest/date=2026-01-02/${versionId}.jsonl`,
    );
    expect(utcDay(Date.UTC(2026, 0, 2, 23, 59, 59, 999))).toBe("2026-01-02");
  });
});

describe("properties", () => {
  const piece = fc.oneof(
    fc.constantFrom("ä", "日", "😀", "%", "=", " ", ".", "~", "x", "\\"),
    fc.integer({ min: 1, max: 255 }).map((byte) => Buffer.from([byte === 0x2f ? 0x41 : byte])),
  );
  const segment = fc
    .tuple(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 90 }))
    .map(([pieces, times]) =>
      Buffer.concat(
        Array.from({ length: times }, () => Buffer.concat(pieces.map((one) => Buffer.from(one as Buffer)))),
      ),
    );
  const path = fc
    .array(segment, { minLength: 1, maxLength: 20 })
    .map((segments) =>
      Buffer.concat(segments.flatMap((one, at) => (at === 0 ? [one] : [Buffer.from("/"), one]))),
    )
    .filter((bytes) => bytes.length <= 4096);
  const longest = {
    client: "c".repeat(63),
    source: "s".repeat(63),
    date: "2026-01-02",
    versionId,
  };
  const unitsOf = (text: string): string[] => text.match(/%[0-9A-F]{2}|[^%]/gu) ?? [];

  test("every key fits, is well-formed, keeps its extension, and forges no partition", () => {
    fc.assert(
      fc.property(path, (bytes) => {
        const pathEncoded = encodePath(bytes);
        const key = objectKey({ ...longest, pathEncoded });
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1000);
        expect(key.isWellFormed()).toBe(true);
        const segments = key.split("/");
        expect(segments.every((one) => one !== "" && Buffer.byteLength(one) <= 200)).toBe(true);
        expect(key.split("=").length).toBe(4);
        // No cut inside a %XX: what is left are whole units only.
        const rest = segments.slice(5).join("/");
        expect(unitsOf(rest).join("")).toBe(rest);
        // Whole escapes are units of the path itself: each character that stands there stood there before.
        const name = pathEncoded.slice(pathEncoded.lastIndexOf("/") + 1);
        const extension = /^.+(\.[^.]{1,19})$/u.exec(name)?.[1];
        if (extension !== undefined && Buffer.byteLength(extension) <= 20) {
          expect(key.endsWith(extension)).toBe(true);
        }
        if (Buffer.byteLength(key) < 1000 && !rest.includes("~")) expect(rest).toBe(pathEncoded);
      }),
      { numRuns: 400 },
    );
  });

  test("different paths have different keys, also where only the middle differs", () => {
    fc.assert(
      fc.property(path, fc.nat(), (bytes, at) => {
        const other = Buffer.from(bytes);
        const index = at % bytes.length;
        other[index] = other[index] === 0x41 || other[index] === 0x2f ? (bytes[index] as number) : 0x41;
        fc.pre(!other.equals(bytes));
        expect(objectKey({ ...longest, pathEncoded: encodePath(other) })).not.toBe(
          objectKey({ ...longest, pathEncoded: encodePath(bytes) }),
        );
      }),
      { numRuns: 300 },
    );
  });
});
