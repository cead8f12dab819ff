import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Batches, Memory } from "./batch.ts";

interface Thing {
  readonly bytes: number;
  readonly name: string;
  readonly marks: readonly string[];
}
const thing = (bytes: number, name: string, ...marks: string[]): Thing => ({ bytes, name, marks });

test("what comes together is done together, and the next batch gathers meanwhile", async () => {
  const batches: string[][] = [];
  const all = new Batches<Thing>(new Memory(1000), async (batch) => {
    batches.push(batch.map(({ name }) => name));
    await sleep(5);
  });
  for (let i = 0; i < 600; i += 1) await all.add(thing(1, String(i)));
  await all.idle();
  expect(batches.map((batch) => batch.length)).toEqual([256, 256, 88]);
  expect(batches.flat()).toEqual(Array.from({ length: 600 }, (_, i) => String(i)));
});

test("nobody waits for a batch to be full when nothing more comes", async () => {
  const batches: number[] = [];
  const all = new Batches<Thing>(new Memory(1000), async (batch) => void batches.push(batch.length));
  await all.add(thing(1, "a"));
  all.starved();
  await expect.poll(() => batches).toEqual([1]);
});

test("the same mark is never twice under way", async () => {
  const underway = new Set<string>();
  const all = new Batches<Thing>(new Memory(1000), async (batch) => {
    for (const { name, marks } of batch) {
      expect(underway.has(marks[0] ?? "")).toBe(false);
      underway.add(marks[0] ?? name);
    }
    await sleep(2);
    for (const { marks } of batch) underway.delete(marks[0] ?? "");
  });
  for (let i = 0; i < 20; i += 1) await all.add(thing(1, String(i), `path-${i % 3}`));
  await all.idle();
});

test("memory is bounded over all bundles, and what fails gives back what it held", async () => {
  const memory = new Memory(10);
  const broken = new Error("no lake");
  const repeated = new Batches<Thing>(memory, () => Promise.reject(broken));
  await repeated.add(thing(2, "a", "p"));
  await expect(repeated.add(thing(2, "b", "p"))).rejects.toBe(broken);
  expect(memory.has(10)).toBe(true);

  let held = 0;
  let most = 0;
  const bundles = Array.from(
    { length: 8 },
    () =>
      new Batches<Thing>(memory, async (batch) => {
        await sleep(2);
        held -= batch.length * 3;
      }),
  );
  await Promise.all(
    bundles.map(async (bundle) => {
      for (let i = 0; i < 10; i += 1) {
        await bundle.add(thing(3, String(i)));
        held += 3;
        most = Math.max(most, held);
      }
      await bundle.idle();
    }),
  );
  expect(most).toBeLessThanOrEqual(10);
  expect(memory.has(10)).toBe(true);
});

test("what ended it ends what comes after", async () => {
  const all = new Batches<Thing>(new Memory(1000), () => Promise.reject(new Error("no lake")));
  await all.add(thing(1, "a"));
  await expect(all.idle()).rejects.toThrow("no lake");
  await expect(all.add(thing(1, "b"))).rejects.toThrow("no lake");
});
