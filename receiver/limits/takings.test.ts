import { expect, test } from "vitest";
import { type Taking, takeOf } from "./takings.ts";

const MINUTE = { count: 10, perMs: 60_000 };

/** Takes one after the other, and keeps what is kept. */
function scene(frequency = MINUTE) {
  let takings: readonly Taking[] = [];
  return {
    take(at: number, wanted: number, count = frequency.count) {
      const next = takeOf(takings, { ...frequency, count }, wanted, at);
      takings = next.takings;
      return next.taken;
    },
    takings: () => takings,
  };
}

test("around no border twice as much passes", () => {
  const { take } = scene();
  expect(take(0, 1).granted).toBe(1);
  expect(take(59_000, 10).granted).toBe(9);
  expect(take(60_000, 10)).toEqual({ granted: 1, left: 0, moreInMs: 59_000 });
  expect(take(118_999, 10).granted).toBe(0);
  expect(take(119_000, 10).granted).toBe(9);
});

test("the oldest leave first, and it is said when", () => {
  const { take } = scene();
  expect(take(0, 4)).toEqual({ granted: 4, left: 6, moreInMs: 60_000 });
  expect(take(30_000, 6)).toEqual({ granted: 6, left: 0, moreInMs: 30_000 });
  expect(take(60_000, 0)).toEqual({ granted: 0, left: 4, moreInMs: 30_000 });
  expect(take(90_000, 0)).toEqual({ granted: 0, left: 10, moreInMs: 60_000 });
});

test("of a limit that was made smaller there is more when enough have left", () => {
  const { take } = scene();
  for (const at of [0, 10_000, 20_000]) take(at, 3);
  expect(take(25_000, 1, 4)).toEqual({ granted: 0, left: 0, moreInMs: 45_000 });
  expect(take(25_000, 20, 12)).toMatchObject({ granted: 3, left: 0 });
});

test("however many ask, few are remembered, and none leaves too early", () => {
  const { take, takings } = scene({ count: 100_000, perMs: 60_000 });
  for (let at = 0; at < 60_000; at += 7) take(at, 1);
  expect(takings().length).toBeLessThanOrEqual(61);
  expect(take(60_000, 1).left).toBe(100_000 - Math.ceil(60_000 / 7) - 1);
});

test("a clock that is turned back by a little stands still, by more than a window begins anew", () => {
  const { take } = scene();
  take(100_000, 10);
  expect(take(70_000, 1)).toEqual({ granted: 0, left: 0, moreInMs: 90_000 });
  expect(take(160_000, 1).granted).toBe(1);
  expect(take(-3_600_000, 10)).toMatchObject({ granted: 10, moreInMs: 60_000 });
});
