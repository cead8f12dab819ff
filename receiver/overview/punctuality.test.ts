import { describe, expect, test } from "vitest";
import { type Cell, cellOf, lateSince } from "./punctuality.ts";
import type { Habit } from "./rhythm.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Monday, days since 1970. */
const MONDAY = Date.UTC(2026, 5, 1) / DAY;

describe("a day of a feed", () => {
  const usual: Habit = { kind: "usual", by: 5, hours: 1 << 5 };
  const noon = MONDAY * DAY + 12 * HOUR;
  test.for<[Habit, readonly number[], number, Cell]>([
    [usual, [5], noon, "as-usual"],
    [usual, [6, 20], noon, "as-usual"],
    [usual, [7], noon, "later-than-usual"],
    [usual, [], noon, "nothing-though-usual"],
    [usual, [], MONDAY * DAY + 7 * HOUR - 1, "awaited"],
    [usual, [], MONDAY * DAY + 7 * HOUR, "nothing-though-usual"],
    [{ kind: "not-usual" }, [], noon, "not-usual"],
    [{ kind: "not-usual" }, [3], noon, "arrived-unexpectedly"],
    [{ kind: "not-known" }, [], noon, "not-known"],
    [{ kind: "not-known" }, [3], noon, "not-known"],
  ])("%j with arrivals in %j at %i: %s", ([habit, hours, now, cell]) => {
    expect(
      cellOf(
        MONDAY,
        hours.reduce((mask, hour) => mask | (1 << hour), 0),
        habit,
        now,
      ),
    ).toBe(cell);
  });
});

describe("which feeds are late", () => {
  /** For 60 days it delivered in these hours of a day, until `lastAt`. */
  const feed = (hours: (weekday: number) => readonly number[], lastAt: number | undefined) => ({
    since: MONDAY - 60,
    lastAt,
    hoursOf: (day: number): number =>
      hours((day + 4) % 7)
        .filter((hour) => day >= MONDAY - 60 && day * DAY + hour * HOUR <= (lastAt ?? 0))
        .reduce((mask, hour) => mask | (1 << hour), 0),
  });
  const daily = (): number[] => [5];
  const office = (weekday: number): number[] => (weekday >= 1 && weekday <= 5 ? [5] : []);
  const hourly = (): number[] => Array.from({ length: 24 }, (_, hour) => hour);
  const time = (day: number, hour: number): number => (MONDAY + day) * DAY + hour * HOUR;
  test.for<[string, ReturnType<typeof feed>, number, number | undefined]>([
    ["before its hour", feed(daily, time(-1, 5)), time(0, 5), undefined],
    ["in the hour after", feed(daily, time(-1, 5)), time(0, 6.9), undefined],
    ["an hour later", feed(daily, time(-1, 5)), time(0, 7), time(0, 6)],
    ["it came, if late", feed(daily, time(0, 9)), time(0, 10), undefined],
    ["since the first day that it missed", feed(daily, time(-4, 5)), time(0, 10), time(-3, 6)],
    ["yesterday's, and today's is not due yet", feed(daily, time(-2, 5)), time(0, 3), time(-1, 6)],
    ["on a Monday, since Friday it needs nothing", feed(office, time(-3, 5)), time(0, 3), undefined],
    ["Friday's, over the weekend", feed(office, time(-4, 5)), time(-1, 3), time(-3, 6)],
    ["stopped three weeks ago", feed(daily, time(-22, 5)), time(0, 10), undefined],
    ["each hour, until the last", feed(hourly, time(0, 9)), time(0, 10.5), undefined],
    ["each hour, and two were missed", feed(hourly, time(0, 9)), time(0, 12), undefined],
    ["each hour, and three were missed", feed(hourly, time(0, 9)), time(0, 13), time(0, 11)],
    [
      "new",
      {
        since: MONDAY - 3,
        lastAt: time(-1, 5),
        hoursOf: (day) => (day < MONDAY && day >= MONDAY - 3 ? 1 << 5 : 0),
      },
      time(0, 10),
      undefined,
    ],
    [
      "never",
      { since: Number.POSITIVE_INFINITY, lastAt: undefined, hoursOf: () => 0 },
      time(0, 10),
      undefined,
    ],
  ])("%s", ([, given, now, expected]) => {
    expect(lateSince(given, now)).toBe(expected);
  });
});
