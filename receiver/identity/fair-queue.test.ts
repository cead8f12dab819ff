import { expect, test } from "vitest";
import { FairQueue } from "./fair-queue.ts";

/** Work that goes on until it is told to end; `begun` says in which order it began. */
function scene(atOnce: number, each = 100, all = 100) {
  const queue = new FairQueue({ atOnce, each, all });
  const begun: string[] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const ask = (asker: string, name: string, gone?: AbortSignal): void => {
    queue
      .run(
        asker,
        async () => {
          begun.push(name);
          running += 1;
          most = Math.max(most, running);
          await new Promise<void>((resolve) => ends.push(resolve));
          running -= 1;
        },
        gone,
      )
      .catch((error: { code: string }) => refused.push(`${name} ${error.code}`));
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const endAll = async (): Promise<void> => {
    await settled();
    while (ends.length > 0) {
      ends.shift()?.();
      await settled();
    }
  };
  return { ask, begun, refused, endAll, most: () => most, settled };
}

test("askers take turns, however many each has; never more at once than allowed", async () => {
  const { ask, begun, endAll, most } = scene(2);
  for (let i = 1; i <= 5; i += 1) ask("flood", `f${i}`);
  ask("a", "a1");
  ask("b", "b1");
  ask("a", "a2");
  await endAll();
  expect(begun).toEqual(["f1", "f2", "f3", "a1", "b1", "f4", "a2", "f5"]);
  expect(most()).toBe(2);
});

test("work that fails hands its turn on", async () => {
  const queue = new FairQueue({ atOnce: 1, each: 1, all: 1 });
  const failing = queue.run("a", async () => {
    throw new Error("it failed");
  });
  const next = queue.run("b", async () => "done");
  await expect(failing).rejects.toThrow("it failed");
  expect(await next).toBe("done");
  expect(await queue.run("c", async () => "and again")).toBe("and again");
});

test("one asker has so many places; when all are taken, a newcomer gets one of whoever has most", async () => {
  const { ask, begun, refused, endAll, settled } = scene(1, 3, 4);
  ask("x", "first");
  for (let i = 1; i <= 4; i += 1) ask("flood", `f${i}`);
  await settled();
  expect(refused).toEqual(["f4 busy"]);
  ask("a", "a1");
  ask("b", "b1");
  ask("c", "c1");
  await settled();
  expect(refused).toEqual(["f4 busy", "f3 busy", "f2 busy"]);
  ask("d", "d1");
  await settled();
  // Each has one place now: nobody loses it to another.
  expect(refused.at(-1)).toBe("d1 busy");
  await endAll();
  expect(begun).toEqual(["first", "f1", "a1", "b1", "c1"]);
});

test("who leaves gives up his place, and what has begun goes on", async () => {
  const { ask, begun, refused, endAll, settled } = scene(1, 2, 2);
  const [first, second, late] = [new AbortController(), new AbortController(), new AbortController()];
  ask("a", "first", first.signal);
  ask("a", "second", second.signal);
  ask("a", "third");
  await settled();
  first.abort();
  second.abort();
  await settled();
  expect(refused).toEqual(["second busy"]);
  ask("b", "fourth");
  late.abort();
  ask("c", "late", late.signal);
  await endAll();
  expect(begun).toEqual(["first", "third", "fourth"]);
  expect(refused).toEqual(["second busy", "late busy"]);
});
