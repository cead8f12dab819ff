import { expect, test } from "vitest";
import { RefusedFiles } from "./refused.ts";

const at = { bearer: "one", client: "demo", source: "pos", pathEncoded: "a.csv" };
const reason = new Error("quota");

test("the reason is told to the next look alone, of the same bearer at the same path", () => {
  const refused = new RefusedFiles();
  refused.add(at, reason);
  refused.tell({ ...at, bearer: "two" });
  refused.tell({ ...at, pathEncoded: "b.csv" });
  expect(() => refused.tell(at)).toThrow(reason);
  refused.tell(at);
});

test("the removal that follows takes it away, once, although it was told", () => {
  const refused = new RefusedFiles();
  refused.add(at, reason);
  expect(() => refused.tell(at)).toThrow(reason);
  expect([refused.remove({ ...at, source: "other" }), refused.remove(at), refused.remove(at)]).toEqual([
    ...[false, true, false],
  ]);
});

test("sent again, or later, it is forgotten", () => {
  let now = 0;
  const refused = new RefusedFiles(() => now);
  refused.add(at, reason);
  refused.forget(at);
  refused.tell(at);
  refused.add(at, reason);
  now = 20_000;
  refused.tell(at);
  expect(refused.remove(at)).toBe(false);
});

test("very many push the oldest out", () => {
  const refused = new RefusedFiles(() => 0);
  for (let i = 0; i < 10_001; i += 1) refused.add({ ...at, pathEncoded: `${i}` }, reason);
  expect(refused.remove({ ...at, pathEncoded: "0" })).toBe(false);
  expect(refused.remove({ ...at, pathEncoded: "10000" })).toBe(true);
});

test("what was given up is told to nobody, and its removal takes it away", () => {
  const refused = new RefusedFiles();
  refused.add(at, undefined);
  refused.tell(at);
  expect(refused.remove(at)).toBe(true);
});
