import { expect, test } from "vitest";
import { bandOf } from "./usual.ts";

test.for<[readonly number[], object | undefined]>([
  [[], undefined],
  [[5, 5], undefined],
  [[3, 1, 2], { low: 1.5, median: 2, high: 2.5 }],
  [[0, 0, 100, 4], { low: 0, median: 2, high: 28 }],
  [[7, 7, 7, 7], { low: 7, median: 7, high: 7 }],
])("the quartiles of %j", ([values, band]) => {
  expect(bandOf(values)).toEqual(band);
});
