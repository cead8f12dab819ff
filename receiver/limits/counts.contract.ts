/** What whoever counts for limits must do: in memory for one receiver, in a database for several. */
import { beforeEach, expect, test } from "vitest";
import type { Counts } from "./counts.ts";

const MINUTE = { count: 10, perMs: 60_000 };

export function countsContract(open: () => Promise<Counts>): void {
  let counts: Counts;
  beforeEach(async () => {
    counts = await open();
  });

  test("a window gives what it has, the rest of it, and then nothing", async () => {
    expect(await counts.take("a", MINUTE, 4)).toMatchObject({ granted: 4, left: 6 });
    expect(await counts.take("a", MINUTE, 4)).toMatchObject({ granted: 4, left: 2 });
    const last = await counts.take("a", MINUTE, 4);
    expect(last).toMatchObject({ granted: 2, left: 0 });
    expect(last.moreInMs).toBeGreaterThan(0);
    expect(last.moreInMs).toBeLessThanOrEqual(60_000);
    expect(await counts.take("a", MINUTE, 4)).toMatchObject({ granted: 0, left: 0 });
  });

  test("subjects and windows of another length are apart", async () => {
    await counts.take("a", MINUTE, 10);
    expect((await counts.take("b", MINUTE, 10)).granted).toBe(10);
    expect((await counts.take("a", { count: 10, perMs: 1000 }, 10)).granted).toBe(10);
  });

  test("a limit that is made smaller or larger counts in the window that is open", async () => {
    await counts.take("a", MINUTE, 8);
    expect(await counts.take("a", { ...MINUTE, count: 5 }, 1)).toMatchObject({ granted: 0, left: 0 });
    expect(await counts.take("a", { ...MINUTE, count: 20 }, 100)).toMatchObject({ granted: 12, left: 0 });
  });

  test("what is as old as the window has left it, and no window has more than the limit, whenever it begins", async () => {
    const short = { count: 30, perMs: 300 };
    const taken: { readonly from: number; readonly to: number; readonly granted: number }[] = [];
    const take = async (wanted: number): Promise<void> => {
      const from = performance.now();
      const { granted } = await counts.take("a", short, wanted);
      taken.push({ from, to: performance.now(), granted });
    };
    const end = performance.now() + 1000;
    await take(3);
    await new Promise((resolve) => setTimeout(resolve, 200));
    while (performance.now() < end) {
      await take(10);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    /** All that was surely taken within a window of the first of them, however long the answers took. */
    const within = (first: number): number =>
      taken.reduce(
        (sum, { from, to, granted }) => sum + (from >= first && to < first + 300 ? granted : 0),
        0,
      );
    expect(Math.max(...taken.map(({ from }) => within(from)))).toBeLessThanOrEqual(30);
    expect(taken.reduce((sum, { granted }) => sum + granted, 0)).toBeGreaterThanOrEqual(60);
  });

  test("many at once take no more than there is", async () => {
    const taken = await Promise.all(Array.from({ length: 20 }, () => counts.take("a", MINUTE, 3)));
    expect(taken.reduce((sum, { granted }) => sum + granted, 0)).toBe(10);
  });

  test("slots: as many as there are, more, fewer, none", async () => {
    expect(await counts.hold("a", 3, 4)).toBe(3);
    expect(await counts.hold("a", 9, 4)).toBe(4);
    expect(await counts.hold("a", 1, 4)).toBe(1);
    expect(await counts.hold("a", 0, 4)).toBe(0);
    expect(await counts.hold("b", 4, 4)).toBe(4);
  });
}
