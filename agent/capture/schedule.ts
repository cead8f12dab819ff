/** When a source is looked through: at fixed distances, or at times of day and week. */
import { nextTime } from "../source/cron.ts";

export interface Schedule {
  /** ms from `now` until the first look of this run; `last`: when one ended in another run. */
  firstMs(last: number | undefined, now: number): number;
  /** ms from `now` until the next look, after one that began at `last`. Both ms since 1970. */
  nextMs(last: number, now: number): number;
}

/** So long after each look, however long that took; and at each start. */
export function everyMs(ms: number): Schedule {
  return { firstMs: () => 0, nextMs: () => ms };
}

const NEVER_MS = 365 * 86_400_000;

/** A time that passed while the agent was away, or while a look took longer than to the next, is made up for at once, once. */
export function cronTimes(expression: string, timeZone?: string): Schedule {
  const nextMs = (last: number, now: number): number => {
    // A clock that was set back must not hold it off until it has caught up.
    const next = nextTime(expression, timeZone, Math.min(last, now));
    return next === undefined ? NEVER_MS : Math.max(0, next - now);
  };
  return { firstMs: (last, now) => nextMs(last ?? now, now), nextMs };
}
