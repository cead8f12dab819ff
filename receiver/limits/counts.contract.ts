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
    expect(last.endsInMs).toBeGreaterThan(0);
    expect(last.endsInMs).toBeLessThanOrEqual(60_000);
    expect(await counts.take("a", MINUTE, 4)).toMatchObject({ granted: 0, left: 0, window: last.window });
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

  test("when a window has ended the next one is whole, and another", async () => {
    const short = { count: 3, perMs: 50 };
    const first = await counts.take("a", short, 3);
    const next = async () => await counts.take("a", short, 3);
    await expect.poll(async () => await next()).toMatchObject({ granted: 3 });
    expect((await next()).window).not.toBe(first.window);
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
