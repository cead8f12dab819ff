import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Entry } from "./remote.ts";
import { sorted } from "./sorted.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sorted-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: Buffer, size: number): Entry => ({
  kind: "file",
  name,
  state: { size, mtimeNs: 5n, ctimeNs: 0n, fileId: undefined },
});
async function* portions(entries: readonly Entry[], by: number): AsyncGenerator<readonly Entry[]> {
  for (let i = 0; i < entries.length; i += by) yield entries.slice(i, i + by);
}
async function all(entries: AsyncIterable<readonly Entry[]>): Promise<Entry[]> {
  const out: Entry[] = [];
  for await (const some of entries) out.push(...some);
  return out;
}

test("any entries in any order, of any number of runs: in the order of their bytes, each once, the later one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3 }), { maxLength: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 7 }),
      async (names, by, run, frame) => {
        const entries = names.map((name, i) => file(Buffer.from(name), i));
        const expected = new Map(entries.map((entry) => [entry.name.toString("latin1"), entry]));
        const found = await all(sorted(portions(entries, by), folder, { run, frame }));
        expect(found).toEqual([...expected.keys()].sort().map((name) => expected.get(name)));
        expect(readdirSync(folder)).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
});

test.skipIf(process.platform === "win32")(
  "a process that ends in the middle leaves no file either",
  async () => {
    const entries = Array.from({ length: 100 }, (_, i) => file(Buffer.from(`${99 - i}`), i));
    for await (const _ of sorted(portions(entries, 10), folder, { run: 10, frame: 3 }))
      expect(readdirSync(folder)).toEqual([]);
  },
);

test("what is given up leaves no file", async () => {
  const entries = Array.from({ length: 100 }, (_, i) => file(Buffer.from(`${99 - i}`), i));
  for await (const _ of sorted(portions(entries, 10), folder, { run: 10, frame: 3 })) break;
  expect(readdirSync(folder)).toEqual([]);
  async function* broken(): AsyncGenerator<readonly Entry[]> {
    yield* portions(entries, 10);
    throw new Error("cut");
  }
  await expect(all(sorted(broken(), folder, { run: 10, frame: 3 }))).rejects.toThrow("cut");
  expect(readdirSync(folder)).toEqual([]);
});

test("200,000 names need the memory of some thousands", async () => {
  async function* many(): AsyncGenerator<readonly Entry[]> {
    for (let i = 0; i < 200_000; i += 500)
      yield Array.from({ length: 500 }, (_, j) => file(Buffer.from(`f${((i + j) * 7_919) % 200_003}`), i));
  }
  let count = 0;
  let peak = 0;
  const before = process.memoryUsage();
  for await (const some of sorted(many(), folder)) {
    count += some.length;
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external - before.heapUsed - before.external);
  }
  expect(count).toBe(200_000);
  expect(peak).toBeLessThan(150e6);
}, 60_000);

test("a file and a folder of one name are two, the file first, wherever they lay", async () => {
  const name = Buffer.from("a");
  const dir: Entry = { kind: "folder", name };
  const given = [dir, file(Buffer.from("a-b"), 1), file(name, 1), dir, file(name, 2)];
  for (const run of [1, 2, 10])
    expect(await all(sorted(portions(given, 1), folder, { run, frame: 1 }))).toEqual([
      file(name, 2),
      dir,
      file(Buffer.from("a-b"), 1),
    ]);
});
