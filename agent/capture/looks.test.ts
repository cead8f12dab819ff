import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Looks } from "./looks.ts";
import { cronTimes, type Schedule } from "./schedule.ts";

const HOUR = 3_600_000;
/** Of the host while it slept: its steady clock stood still. */
let asleep: number;
let begun: number[];
beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
  asleep = 0;
  begun = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function looks(schedule: Schedule): Looks {
  const wall = (): number => Date.now() + asleep;
  const all = new Looks({
    schedule,
    near: false,
    clocks: { wall, steady: () => performance.now(), corrected: wall },
    book: { lastScanAt: () => undefined, problems: () => [] },
    health: async () => {
      begun.push(wall());
      return false;
    },
    reachable: () => false,
  } as never);
  all.begin();
  return all;
}

test("a time of cron that came while the host slept is noticed within a minute", async () => {
  const all = looks(cronTimes("0 6 * * *", "UTC"));
  await vi.advanceTimersByTimeAsync(HOUR);
  asleep = 7 * HOUR;
  await vi.advanceTimersByTimeAsync(61_000);
  expect(begun).toHaveLength(1);
  await all.stop();
});

test("a time of cron further away than a timer reaches is kept", async () => {
  const all = looks(cronTimes("0 0 28 1 *", "UTC"));
  await vi.advanceTimersByTimeAsync(26 * 24 * HOUR);
  expect(begun).toEqual([]);
  expect(all.nextScanAt).toBe(Date.parse("2026-01-28T00:00:00Z"));
  await vi.advanceTimersByTimeAsync(1 * 24 * HOUR);
  expect(begun[0]).toBe(Date.parse("2026-01-28T00:00:00Z"));
  await all.stop();
});
