import { expect, test } from "vitest";
import { compareKeys, nameOf, parentOf, placeOf } from "./place.ts";

test.for([
  ["", "", ""],
  ["a", "", "a"],
  ["a/b", "a", "b"],
  ["a/b/%FF", "a/b", "%FF"],
])("%s is in %s as %s", ([path = "", parent, name]) => {
  expect([parentOf(path), nameOf(path)]).toEqual([parent, name]);
  expect(placeOf(path).name_key).toBe(name);
});

test("the source is in no folder, and not where what is right inside it is", () => {
  expect(placeOf("").parent_hash).toBe("");
  expect(placeOf("a").parent_hash).toBe(placeOf("b").parent_hash);
  expect(placeOf("a").parent_hash).not.toBe(placeOf("a/b").parent_hash);
});

test("the key of a long name is short, its own, and keeps to the order of names that differ early", () => {
  const long = (last: string): string => `${"ä".repeat(2000)}${last}`;
  const keys = ["a", "b"].map((last) => placeOf(long(last)).name_key);
  expect(keys[0]).not.toBe(keys[1]);
  for (const key of keys) expect(Buffer.byteLength(key)).toBeLessThanOrEqual(400);
  expect(placeOf(`x/${long("a")}`).name_key).toBe(keys[0]);
  const around = ["z", keys[0] as string, "ö"];
  expect(around.toSorted(compareKeys)).toEqual(around);
});

test("keys are in the order of their bytes, as the databases have it, not of UTF-16", () => {
  expect(["\u{1F600}", "\uFFFD", "a"].sort(compareKeys)).toEqual(["a", "\uFFFD", "\u{1F600}"]);
});
