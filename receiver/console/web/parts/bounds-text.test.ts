import { expect, test } from "vitest";
import { changedBounds, textsOf, wrongOf } from "./bounds-text.ts";

const FIELDS = ["stored", "day", "file", "requests", "uploads"] as const;

test("what nobody touched is not sent, however its text was rounded", () => {
  const shown = textsOf({ day: 1_234_567, file: 20e9, requests: { count: 5, perMs: 3_600_000 } }, FIELDS);
  expect(shown).toEqual({ stored: "", day: "1.23 MB", file: "20 GB", requests: "0.083", uploads: "" });
  expect(wrongOf(shown, shown)).toEqual([]);
  expect(changedBounds(shown, shown)).toEqual({});
  expect(changedBounds(shown, { ...shown, uploads: "3" })).toEqual({ uploads: 3 });
});

test.for([
  ["day", "20 GB", 20e9],
  ["day", "1,5 mb", 1_500_000],
  ["file", "800", 800],
  ["file", "0", 0],
  ["stored", "", null],
  ["requests", "120", { count: 120, perMs: 60_000 }],
  ["uploads", " 4 ", 4],
] as const)("%s: %s", ([field, text, value]) => {
  const shown = { [field]: "before" };
  expect(wrongOf(shown, { [field]: text })).toEqual([]);
  expect(changedBounds(shown, { [field]: text })).toEqual({ [field]: value });
});

test.for([
  ["day", "lots"],
  ["day", "1,234,567 MB"],
  ["day", "-1"],
  ["file", "20 GiB"],
  ["requests", "0"],
  ["requests", "1.5"],
  ["uploads", "many"],
] as const)("%s: %s cannot be read", ([field, text]) => {
  expect(wrongOf({ [field]: "" }, { [field]: text })).toEqual([field]);
});
