import { expect, test } from "vitest";
import type { Preview } from "../../../../preview/preview.ts";
import { compare } from "./compare.ts";

const table = (names: string, rows: readonly string[], more = false): Preview => ({
  ...{ kind: "table", format: "csv", more, notes: [] },
  columns: names.split(",").map((name) => ({ name })),
  rows: rows.map((row) => row.split(",")),
});

test.for<readonly [string, Preview, Preview, object | undefined]>([
  [
    "the same",
    table("a,b", ["1,2"]),
    table("a,b", ["1,2"]),
    { rows: { kind: "same", rows: 1, whole: true } },
  ],
  [
    "a column more",
    table("a", []),
    table("a,b", []),
    { columns: { added: ["b"], removed: [], maybe: [] }, rows: undefined },
  ],
  ["a column less", table("a,b", []), table("b", []), { columns: { added: [], removed: ["a"], maybe: [] } }],
  ["perhaps renamed", table("a,b", []), table("a,c", []), { columns: { maybe: [["b", "c"]] } }],
  [
    "another place is no renaming",
    table("a,b", []),
    table("c,a", []),
    { columns: { added: ["c"], removed: ["b"], maybe: [] } },
  ],
  ["another order", table("a,b", []), table("b,a", []), { columns: { kind: "order" } }],
  [
    "one of two equal names gone",
    table("a,a", []),
    table("a", []),
    { columns: { added: [], removed: ["a"] } },
  ],
  [
    "whole: rows are counted",
    table("a", ["1", "2"]),
    table("a", ["0", "1", "2"]),
    { rows: { kind: "counts", came: 1, went: 0 } },
  ],
  [
    "not whole: only the begin",
    table("a", ["1", "2"], true),
    table("a", ["1", "3"], true),
    { rows: { kind: "begin", same: 1, of: 2 } },
  ],
  [
    "not whole, and the same so far",
    table("a", ["1"], true),
    table("a", ["1", "2"]),
    { rows: { kind: "same", rows: 1, whole: false } },
  ],
  [
    "values that were cut",
    table("a", ["x".repeat(501)]),
    table("a", ["x".repeat(501)]),
    { rows: { kind: "cut" } },
  ],
  [
    "too many columns",
    table("a,".repeat(99) + "a", []),
    table("a", []),
    { columns: { kind: "wide" }, rows: undefined },
  ],
  ["a table and none", table("a", []), { kind: "none", why: "binary" }, undefined],
])("%s", ([, before, after, change]) => {
  const found = compare(before, after);
  if (change === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject(change);
});
