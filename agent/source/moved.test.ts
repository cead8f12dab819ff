import { expect, test } from "vitest";
import { remoteAfterRule } from "./after.ts";
import { movedBelow, movesNowhere } from "./moved.ts";

const below = (after: string, root: string): string[] => {
  const rule = remoteAfterRule(after, root);
  if (rule?.kind !== "move") throw new Error("no move");
  return movedBelow(root, rule.to).map(String);
};

test.for([
  ["move:done", "/out", ["done"]],
  ["move:done/", "/out/", ["done"]],
  ["move:./done", "/out", ["done"]],
  ["move:/out//done", "/out", ["done"]],
  ["move:/out/x/../done", "/out", ["done"]],
  ["move:/outside", "/out", []],
  ["move:../done", "/out", []],
  ["move:done", ".", ["done"]],
  ["move:done", "out", ["done"]],
  // Where the login lands in the root.
  ["move:/done", "", ["done"]],
  ["move:/done", ".", ["done"]],
  ["move:/out/done", "out", ["done"]],
  // Buckets: their names begin with no slash.
  ["move:/pos/done", "pos/", ["done"]],
  ["move:/orders/done", "orders", ["done"]],
  ["move:done", "//odd/", ["done"]],
  ["move:/done", "pos/", []],
] as const)("%s of %s is left out: %s", ([after, root, expected]) => {
  expect(below(after, root)).toEqual(expected);
});

test.for([
  [".", "/out", true],
  ["/out/", "/out", true],
  ["/out/x/..", "/out", true],
  ["/pos", "pos/", true],
  ["/", "", true],
  ["/done", "/out", false],
] as const)("to %s from %s moves nothing: %s", ([to, root, expected]) => {
  const rule = remoteAfterRule(`move:${to}`, root);
  expect(rule?.kind === "move" && movesNowhere(root, rule.to)).toBe(expected);
});
