import { expect, test } from "vitest";
import { sharedLook } from "./shared-look.ts";

/** Looks that end when they are told to; and a clock. */
function scene() {
  let now = 0;
  const looks: PromiseWithResolvers<string>[] = [];
  const ask = sharedLook(
    () => {
      const one = Promise.withResolvers<string>();
      looks.push(one);
      return one.promise;
    },
    1000,
    () => now,
  );
  const pass = (ms: number): void => {
    now += ms;
  };
  return { ask, looks, pass };
}

test("all who ask within its time share a look, from its begin on", async () => {
  const { ask, looks, pass } = scene();
  const first = ask();
  pass(600);
  const second = ask();
  looks[0]?.resolve("a");
  expect(await Promise.all([first, second])).toEqual(["a", "a"]);
  pass(399);
  expect(await ask()).toBe("a");
  pass(1);
  const later = ask();
  expect(looks).toHaveLength(2);
  looks[1]?.resolve("b");
  expect(await later).toBe("b");
});

test("one that hangs holds up nobody who comes after its time, and comes too late to be told", async () => {
  const { ask, looks, pass } = scene();
  const slow = ask();
  pass(1000);
  const quick = ask();
  looks[1]?.resolve("new");
  expect(await quick).toBe("new");
  looks[0]?.resolve("old");
  expect([await slow, await ask()]).toEqual(["old", "new"]);
});

test("one that fails is told to who waits for it, and done again for who comes then", async () => {
  const { ask, looks, pass } = scene();
  const waiting = [ask(), ask()];
  looks[0]?.reject(new Error("away"));
  for (const one of waiting) await expect(one).rejects.toThrow("away");
  const again = ask();
  looks[1]?.resolve("back");
  expect(await again).toBe("back");
  // One that failed late takes nothing from a newer one.
  pass(1000);
  const failing = ask();
  pass(1000);
  const good = ask();
  looks[3]?.resolve("good");
  looks[2]?.reject(new Error("late"));
  await expect(failing).rejects.toThrow("late");
  expect([await good, await ask()]).toEqual(["good", "good"]);
});
