import { describe, expect, test } from "vitest";
import { type History, habitOn, rhythmOf, weekdayOf } from "./rhythm.ts";

/** A Monday, days since 1970. */
const MONDAY = Date.UTC(2026, 5, 1) / 86_400_000;

/** Delivers in these hours of the days for which `hours` gives some; known since `since` days before MONDAY. */
function history(since: number, hours: (weekday: number, back: number) => readonly number[]): History {
  return {
    since: MONDAY - since,
    hoursOf: (day) => {
      const back = MONDAY - day;
      if (back <= 0 || back > since) return 0;
      return hours(weekdayOf(day), back).reduce((mask, hour) => mask | (1 << hour), 0);
    },
  };
}

const weekdays = (weekday: number): readonly number[] => (weekday >= 1 && weekday <= 5 ? [5] : []);
const everyHour = Array.from({ length: 24 }, (_, hour) => hour);
const at = (by: number, hours = 1 << by) => ({ kind: "usual", by, hours });
const none = { kind: "not-usual" };
const unknown = { kind: "not-known" };

describe("what is usual of a weekday", () => {
  test.for<[string, History, object]>([
    ["never anything", { since: Number.POSITIVE_INFINITY, hoursOf: () => 0 }, unknown],
    ["a feed since yesterday", history(1, () => [5]), unknown],
    ["a daily one since six days", history(6, () => [5]), unknown],
    ["a daily one since a week", history(7, () => [5]), at(5)],
    ["a daily one since a week that missed one day", history(7, (_, back) => (back === 3 ? [] : [5])), at(5)],
    ["one since a week that missed two days", history(7, (_, back) => (back < 3 ? [] : [5])), unknown],
    ["a daily one for long", history(60, () => [5]), at(5)],
    ["weekdays, on a Monday after three weeks", history(21, weekdays), at(5)],
    ["weekdays, on a Monday after two weeks", history(14, weekdays), unknown],
    ["once a week, after two", history(14, (_, back) => (back % 7 === 0 ? [9] : [])), unknown],
    ["once a week, after three", history(21, (_, back) => (back % 7 === 0 ? [9] : [])), at(9)],
    ["once a week, one missed", history(60, (_, back) => (back % 7 === 0 && back !== 7 ? [9] : [])), at(9)],
    ["every other week", history(60, (_, back) => (back % 14 === 0 ? [9] : [])), none],
    ["once a month, which was a Monday", history(90, (_, back) => (back % 28 === 0 ? [9] : [])), none],
    ["stopped a week ago", history(60, (_, back) => (back > 7 ? [5] : [])), at(5)],
    ["stopped two weeks ago", history(60, (_, back) => (back > 14 ? [5] : [])), none],
    ["each hour", history(60, () => everyHour), at(0, 2 ** 24 - 1)],
    [
      "at 5, 6, 4 and once at 20: by the third of them",
      history(60, (_, back) => (back % 7 === 0 ? [[5, 20, 6, 4][back / 7 - 1] as number] : [])),
      at(6, 0),
    ],
    [
      "the first of several in a day counts",
      history(60, () => [7, 3, 12]),
      at(3, (1 << 3) | (1 << 7) | (1 << 12)),
    ],
  ])("%s", ([, given, expected]) => {
    expect(habitOn(MONDAY, given)).toEqual(expected);
  });

  test("weekends of a feed of weekdays are not usual, its other days are", () => {
    expect(rhythmOf(MONDAY, history(60, weekdays))).toEqual([none, at(5), at(5), at(5), at(5), at(5), none]);
  });
});
