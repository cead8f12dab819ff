import { expect, test } from "vitest";
import { markedIn } from "./marked.ts";

test.for<readonly [string, string, string]>([
  ["reports/Sales-2026.csv", "sales 2026", "reports/[Sales]-[2026].csv"],
  ["reports/report.csv", "port", "reports/report.csv"],
  ["a/b.csv", ".csv", "a/b[.csv]"],
  ["pos2026/x", "2026", "pos[2026]/x"],
  ["abc/abcd", "abc abcd", "[abc]/[abcd]"],
  ["İx/abc", "abc", "İx/abc"],
  ["a", "", "a"],
])("%s for %s", ([path, typed, shown]) => {
  const marks = markedIn(path, typed);
  const text = marks
    .toReversed()
    .reduce((all, [from, to]) => `${all.slice(0, from)}[${all.slice(from, to)}]${all.slice(to)}`, path);
  expect(text).toBe(shown);
});
