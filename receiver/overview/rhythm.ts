/**
 * What is usual of a feed (one source of one client), learnt from when it delivered: a guess out of habit, no promise of anybody,
 * and no rule. A day is a UTC day. For each day what counts is the same weekday of the four weeks before:
 *  - usual: it delivered on at least 3 of these; by the hour in which the third of them had begun;
 *  - a feed that delivered on at least 6 of the last 7 days needs no more history than these;
 *  - not usual: that can no longer be, as on a weekend, or of what comes once a month;
 *  - not known: there is too little history yet.
 * A feed that stops is missed for two weeks; then its silence is what is usual. One that delivers around midnight in UTC, now
 * before and now after it, looks irregular.
 */

export interface History {
  /** Day of the first arrival ever (days since 1970). */
  readonly since: number;
  /** Of a day: bit h is set when something arrived in its hour h. */
  readonly hoursOf: (day: number) => number;
}

export type Habit =
  /** `by`: until the end of this hour of the day. `hours`: those in which it usually delivers, as bits. */
  | { readonly kind: "usual"; readonly by: number; readonly hours: number }
  | { readonly kind: "not-usual" | "not-known" };

const WEEKS = 4;
const OF_WEEKS = 3;
const OF_DAYS = 6;

/** What is usual on that day, by what was before it. */
export function habitOn(day: number, { since, hoursOf }: History): Habit {
  const known: number[] = [];
  for (let week = 1; week <= WEEKS && day - 7 * week >= since; week += 1) known.push(hoursOf(day - 7 * week));
  const delivered = known.filter((hours) => hours !== 0);
  if (delivered.length >= OF_WEEKS) return usual(delivered, OF_WEEKS);
  if (known.length - delivered.length > WEEKS - OF_WEEKS) return { kind: "not-usual" };
  if (day - 7 < since) return { kind: "not-known" };
  const days = [1, 2, 3, 4, 5, 6, 7].map((back) => hoursOf(day - back)).filter((hours) => hours !== 0);
  return days.length >= OF_DAYS ? usual(days, OF_DAYS) : { kind: "not-known" };
}

/** Of each weekday (0: Sunday), as it would be in the week that begins at `day`. */
export function rhythmOf(day: number, history: History): readonly Habit[] {
  const week: Habit[] = [];
  for (let next = day; next < day + 7; next += 1) week[weekdayOf(next)] = habitOn(next, history);
  return week;
}

/** 1970 began on a Thursday. */
export function weekdayOf(day: number): number {
  return (day + 4) % 7;
}

/** The first hour of a day in which something arrived; `hours` is not 0. */
export function firstHour(hours: number): number {
  return 31 - Math.clz32(hours & -hours);
}

function usual(days: readonly number[], of: number): Habit {
  const firsts = days.map(firstHour).sort((a, b) => a - b);
  let hours = 0;
  for (let bit = 1; bit < 1 << 24; bit <<= 1) {
    let count = 0;
    for (const mask of days) if ((mask & bit) !== 0) count += 1;
    if (count >= of) hours |= bit;
  }
  return { kind: "usual", by: firsts[of - 1] as number, hours };
}
