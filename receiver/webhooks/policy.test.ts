import { describe, expect, test } from "vitest";
import {
  afterAttempt,
  dueAfter,
  endsLongOutage,
  HEALTHY,
  isDown,
  MOST_DEAD,
  MOST_WAITING,
  mayBegin,
  room,
} from "./policy.ts";
import type { Health, Outcome } from "./webhook.ts";

const MIDDLE = 0.5;
const failed: Outcome = { kind: "failed", why: "it answered 500" };
const fail = (times: number, health: Health = HEALTHY, now = 0): Health =>
  Array.from({ length: times }).reduce<Health>(
    (h) => afterAttempt(h, failed, Math.max(now, h.pausedUntil), MIDDLE),
    health,
  );

describe("the schedule", () => {
  test("is that of Standard Webhooks: ten tries over three days, then none", () => {
    const delays: (number | undefined)[] = [];
    for (let tries = 1; tries <= 10; tries += 1) delays.push(dueAfter(tries, 0, MIDDLE));
    const [s, min, h] = [1000, 60_000, 3_600_000];
    expect(delays).toEqual([
      5 * s,
      5 * min,
      30 * min,
      2 * h,
      5 * h,
      10 * h,
      14 * h,
      20 * h,
      24 * h,
      undefined,
    ]);
  });

  test("is spread by a tenth either way, so that what failed together does not come back together", () => {
    expect([dueAfter(3, 0, 0), dueAfter(3, 0, 0.999)]).toEqual([
      27 * 60_000,
      expect.closeTo(33 * 60_000, -4),
    ]);
  });

  test("waits as long as it was asked to, but for a day at most", () => {
    expect(dueAfter(1, 0, MIDDLE, 60_000)).toBe(60_000);
    expect(dueAfter(2, 0, MIDDLE, 1000)).toBe(5 * 60_000);
    expect(dueAfter(1, 0, MIDDLE, 1e12)).toBe(86_400_000);
  });
});

describe("health", () => {
  test("five failures in a row and it is down; the pauses grow to two minutes", () => {
    expect(isDown(fail(4))).toBe(false);
    expect(room(fail(4), 0, 0)).toBe(8);
    const pauses = [5, 6, 7, 8, 9, 10, 20].map((times) => {
      const before = fail(times - 1);
      const now = before.pausedUntil;
      return afterAttempt(before, failed, now, MIDDLE).pausedUntil - now;
    });
    expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000]);
  });

  test("those that were under way together count once", () => {
    const down = fail(5);
    const later = [1, 2, 3].reduce<Health>((h) => afterAttempt(h, failed, 10, MIDDLE), down);
    expect(later).toEqual(down);
  });

  test("down: one at a time, and none during the pause", () => {
    const down = fail(5);
    expect([room(down, 0, 0), room(down, 0, 5000), room(down, 1, 5000)]).toEqual([0, 1, 0]);
  });

  test("a success ends it; an attempt that we cut says nothing", () => {
    const down = fail(6);
    expect(afterAttempt(down, { kind: "cut" }, down.pausedUntil, MIDDLE)).toEqual(down);
    const up = afterAttempt(down, { kind: "delivered" }, down.pausedUntil, MIDDLE);
    expect(up).toMatchObject({ failures: 0, failingSince: null });
    expect(room(up, 0, down.pausedUntil)).toBe(8);
  });

  test("Retry-After pauses the whole webhook, and a success of another event does not end the pause", () => {
    const asked = afterAttempt(HEALTHY, { ...failed, retryAfter: 60_000 } as Outcome, 0, MIDDLE);
    const other = afterAttempt(asked, { kind: "delivered" }, 10, MIDDLE);
    expect([room(asked, 0, 59_999), room(other, 0, 59_999), room(other, 0, 60_000)]).toEqual([0, 0, 8]);
  });

  test("only an outage of some length brings forward what waits: a burst of bad events does not", () => {
    const down = fail(5);
    expect([endsLongOutage(down, 299_999), endsLongOutage(down, 300_000)]).toEqual([false, true]);
    expect(endsLongOutage(fail(4), 1e9)).toBe(false);
  });
});

test("a pause that was written while a clock ran ahead is none", () => {
  const year = 365 * 86_400_000;
  const ahead = fail(5, HEALTHY, year);
  expect(room(ahead, 0, 0)).toBe(1);
  expect(afterAttempt(ahead, failed, 0, MIDDLE)).toMatchObject({ failures: 6, pausedUntil: 10_000 });
  const asked = afterAttempt(HEALTHY, { ...failed, retryAfter: 1e12 } as Outcome, 0, MIDDLE);
  expect([room(asked, 0, 0), room(asked, 0, 86_400_000)]).toEqual([0, 8]);
});

test("the cursor stands still where no row is left for a failure", () => {
  const none = { waiting: 0, dead: 0 };
  const full = { waiting: MOST_WAITING, dead: 0 };
  expect([mayBegin(HEALTHY, none), mayBegin(HEALTHY, full), mayBegin(fail(5), none)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(mayBegin(fail(5), full)).toBe(false);
  expect(mayBegin(HEALTHY, { waiting: 0, dead: MOST_DEAD })).toBe(false);
});
