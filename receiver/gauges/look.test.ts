import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { inTurn, lookOf } from "./look.ts";

test("many who ask at once, and soon after, cost one look", async () => {
  let looks = 0;
  const look = lookOf(async () => (looks += 1), { forMs: 60_000 });
  expect(await Promise.all([look(), look(), look()])).toEqual([1, 1, 1]);
  expect(await look()).toBe(1);
});

test("afterwards it is looked anew, also after a failure; a failure is no answer", async () => {
  let looks = 0;
  const look = lookOf(
    async () => {
      looks += 1;
      if (looks === 1) throw new Error("away");
      return looks;
    },
    { forMs: 0 },
  );
  expect(await look()).toBeUndefined();
  expect(await look()).toBe(2);
});

test("one that hangs is given up by who asks, and not asked again before it has ended", async () => {
  let looks = 0;
  const { promise, resolve } = Promise.withResolvers<string>();
  const look = lookOf(
    () => {
      looks += 1;
      return promise;
    },
    { forMs: 0, withinMs: 30 },
  );
  expect(await look()).toBeUndefined();
  expect(await look()).toBeUndefined();
  expect(looks).toBe(1);
  resolve("at last");
  await pause(0);
  expect(await look()).toBe("at last");
  expect(looks).toBe(2);
});

test("one that throws before it begins is a failure as any", async () => {
  const look = lookOf((): Promise<number> => {
    throw new Error("no");
  });
  expect(await look()).toBeUndefined();
});

test("of the same there is one look at a time; while one hangs the others are not even begun", async () => {
  const turn = inTurn();
  const { promise, resolve } = Promise.withResolvers<string>();
  let begun = 0;
  const bounds = { forMs: 0, withinMs: 30, turn };
  const first = lookOf(() => promise, bounds);
  const second = lookOf(async () => {
    begun += 1;
    throw new Error("a failure is an end too");
  }, bounds);
  const third = lookOf(async () => (begun += 1), bounds);
  expect(await Promise.all([first(), second(), third()])).toEqual([undefined, undefined, undefined]);
  expect(begun).toBe(0);
  resolve("at last");
  await pause(0);
  expect(await Promise.all([first(), second(), third()])).toEqual(["at last", undefined, expect.any(Number)]);
});
