/** When a source is looked through: at fixed distances, or at times of day and week. Pure: what has to be known comes in. */
import { Cron } from "croner";

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

/**
 * `expression` in cron's five fields, in `timeZone` (the host's own without). A time that passed while the agent was
 * away, or while a look took longer than to the next, is made up for at once, once.
 */
export function cronTimes(expression: string, timeZone?: string): Schedule {
  const cron = new Cron(expression, {
    paused: true,
    mode: "5-part",
    ...(timeZone === undefined ? {} : { timezone: timeZone }),
  });
  const nextMs = (last: number, now: number): number => {
    const next = cron.nextRun(new Date(last));
    // A date that never comes is refused with the configuration.
    return next === null ? Number.POSITIVE_INFINITY : Math.max(0, next.getTime() - now);
  };
  return { firstMs: (last, now) => nextMs(last ?? now, now), nextMs };
}
