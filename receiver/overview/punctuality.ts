/** How a day of a feed went against what is usual of it, and which feeds would usually have delivered by now. */
import { firstHour, type Habit, type History, habitOn } from "./rhythm.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** So many hours behind its usual one it is not late yet. */
const GRACE = 1;
/** Of a feed that delivers many times a day, so many usual hours in a row have to be missed. */
const MANY_HOURS = 6;
const MISSED_HOURS = 3;

/** Worst first: of several feeds the first one counts. */
export const CELLS = [
  "nothing-though-usual",
  "later-than-usual",
  "arrived-unexpectedly",
  "as-usual",
  /** Today: nothing yet, and it is not late. */
  "awaited",
  "not-usual",
  /** There is too little history to say anything. */
  "not-known",
] as const;

export type Cell = (typeof CELLS)[number];

/** Of a day that began at or before `now`; `hours` are those with arrivals, as bits. */
export function cellOf(day: number, hours: number, habit: Habit, now: number): Cell {
  if (habit.kind === "usual") {
    if (hours !== 0) return firstHour(hours) <= habit.by + GRACE ? "as-usual" : "later-than-usual";
    return now < day * DAY + (habit.by + 1 + GRACE) * HOUR ? "awaited" : "nothing-though-usual";
  }
  if (habit.kind === "not-known") return "not-known";
  return hours === 0 ? "not-usual" : "arrived-unexpectedly";
}

export interface Feed extends History {
  /** ms since 1970; undefined: never. */
  readonly lastAt: number | undefined;
}

/**
 * The end of the hour (ms since 1970) by which it usually would have delivered what has not come; undefined: it is not late.
 * Of several days in a row that it missed the first, of the last seven.
 */
export function lateSince(feed: Feed, now: number): number | undefined {
  const today = Math.floor(now / DAY);
  const lastAt = feed.lastAt ?? 0;
  let since: number | undefined;
  for (let day = today; day > today - 7 && lastAt < (day + 1) * DAY; day -= 1) {
    const habit = habitOn(day, feed);
    if (habit.kind !== "usual") continue;
    if (lastAt >= day * DAY) return day === today ? missedHour(habit.hours, day, lastAt, now) : since;
    const due = day * DAY + (habit.by + 1) * HOUR;
    if (now >= due + GRACE * HOUR) since = due;
  }
  return since;
}

/** It delivered today, but is one that does so many times a day, and stopped. */
function missedHour(hours: number, day: number, lastAt: number, now: number): number | undefined {
  const missed: number[] = [];
  let usual = 0;
  for (let hour = 0; hour < 24; hour += 1) {
    if ((hours & (1 << hour)) === 0) continue;
    usual += 1;
    const begin = day * DAY + hour * HOUR;
    if (begin > lastAt && begin + HOUR <= now) missed.push(begin + HOUR);
  }
  return usual >= MANY_HOURS && missed.length >= MISSED_HOURS ? missed[0] : undefined;
}
