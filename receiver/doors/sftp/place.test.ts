import { encodePath, pathFault } from "@tributary/shared/path.ts";
import { slug } from "@tributary/shared/protocol.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { absolute, encodedOf, lastSegment, type Place, placeOf } from "./place.ts";

const inside = (source: string, path: string): Place => ({ kind: "inside", source, path: Buffer.from(path) });
const top = (name: string): Place => ({ kind: "top", name: Buffer.from(name) });
const root: Place = { kind: "root" };
const history = (...segments: string[]): Place => ({
  kind: "area",
  area: "history",
  segments: segments.map((one) => Buffer.from(one)),
});

const PLACES: readonly (readonly [path: string, free: Place | undefined, bound: Place | undefined])[] = [
  ["", root, root],
  [".", root, root],
  ["/", root, root],
  ["//./", root, root],
  ["/..", root, root],
  ["../../..", root, root],
  ["/x", top("x"), inside("pos", "x")],
  ["x/", top("x"), inside("pos", "x")],
  ["/pos", top("pos"), root],
  ["/pos/", top("pos"), root],
  ["/pos/a/b", inside("pos", "a/b"), inside("pos", "a/b")],
  ["/pos//a/./b/", inside("pos", "a/b"), inside("pos", "a/b")],
  ["/pos/pos", inside("pos", "pos"), inside("pos", "pos")],
  ["/pos/../other/a", inside("other", "a"), inside("pos", "other/a")],
  ["/pos/../../../etc/passwd", inside("etc", "passwd"), inside("pos", "etc/passwd")],
  ["/other/a", inside("other", "a"), inside("pos", "other/a")],
  ["/a/../..", root, root],
  ["/pos/...", inside("pos", "..."), inside("pos", "...")],
  ["/pos/%2e%2e/x", inside("pos", "%2e%2e/x"), inside("pos", "%2e%2e/x")],
  ["/pos/..\\x", inside("pos", "..\\x"), inside("pos", "..\\x")],
  ["/POS/a", undefined, inside("pos", "POS/a")],
  ["/a b/c", undefined, inside("pos", "a b/c")],
  ["C:/x", undefined, inside("pos", "C:/x")],
  ["/.history", history(), history()],
  ["/.history/pos/x", history("pos", "x"), history("pos", "x")],
  ["/pos/../.history/", history(), history()],
  ["/pos/.history", inside("pos", ".history"), inside("pos", ".history")],
  ["x".repeat(4096 + 513), undefined, undefined],
];

test.for(PLACES)("%s", ([path, free, bound]) => {
  expect(placeOf(Buffer.from(path))).toEqual(free);
  expect(placeOf(Buffer.from(path), "pos")).toEqual(bound);
});

const segment = fc.oneof(
  fc.constantFrom("..", ".", "", "pos", ".history", ".receipts", "a", "...", "..\\", "\0"),
  fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString("latin1").replaceAll("/", "_")),
);
const anyPath = fc.array(segment, { maxLength: 8 }).map((steps) => Buffer.from(steps.join("/"), "latin1"));

test("no path leads out, and none has a step left in it", () => {
  fc.assert(
    fc.property(anyPath, fc.constantFrom(undefined, "pos"), (path, bound) => {
      const place = placeOf(path, bound);
      if (place?.kind !== "inside") return;
      expect(slug.safeParse(place.source).success).toBe(true);
      if (bound !== undefined) expect(place.source).toBe(bound);
      expect(place.path.toString("latin1").split("/")).not.toContain("..");
      const encoded = encodedOf(place.path);
      expect(encoded).toBe(pathFault(place.path) === undefined ? encodePath(place.path) : undefined);
    }),
  );
});

test("the absolute path of a path leads to the same place, and is its own", () => {
  fc.assert(
    fc.property(anyPath, fc.constantFrom(undefined, "pos"), (path, bound) => {
      const whole = absolute(path);
      if (whole === undefined) return;
      expect(placeOf(whole, bound)).toEqual(placeOf(path, bound));
      expect(absolute(whole)).toEqual(whole);
    }),
  );
});

test.for([
  ["a", "a"],
  ["a/b", "b"],
  ["a/b/", ""],
  ["", ""],
])("the last segment of %s", ([path, last]) => {
  expect(lastSegment(Buffer.from(path as string)).toString()).toBe(last);
});
