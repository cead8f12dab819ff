/** When an event is told again, and how an endpoint is treated that fails: pure decisions. Times in ms. */
import type { Health, Outcome } from "./webhook.ts";

const S = 1000;
const MIN = 60 * S;
const H = 60 * MIN;

/** Between the tries, as Standard Webhooks recommends: ten tries in 3 days and 4 hours. */
const DELAYS = [5 * S, 5 * MIN, 30 * MIN, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H] as const;
/** So many failures in a row, and the endpoint counts as down rather than the events as bad. */
const DOWN_AFTER = 5;
const PROBE_FIRST = 5 * S;
const PROBE_LAST = 2 * MIN;
/** An outage of this length or more leaves events that need not wait for their hour once it is over. */
const LONG_OUTAGE = 5 * MIN;
/** Nobody puts us off for longer. */
const LONGEST_WISH = 24 * H;
/** No pause ends and no try is due later than this from now; what seems to was written while a clock ran ahead. */
export const FARTHEST = 27 * H;

/** Attempts of one webhook under way at once. */
const AT_ONCE = 8;
/** Rows that a webhook may have: events that wait to be told again, and dead letters. */
export const MOST_WAITING = 1000;
export const MOST_DEAD = 10_000;

export const HEALTHY: Health = { failures: 0, failingSince: null, pausedUntil: 0 };

/** After so many tries the next is due then; undefined: that was the last. `random` is in [0, 1). */
export function dueAfter(tries: number, now: number, random: number, retryAfter = 0): number | undefined {
  const delay = DELAYS[tries - 1];
  if (delay === undefined) return undefined;
  return now + Math.max(Math.round(delay * (0.9 + random * 0.2)), Math.min(retryAfter, LONGEST_WISH));
}

export function isDown(health: Pick<Health, "failures">): boolean {
  return health.failures >= DOWN_AFTER;
}

export function afterAttempt(health: Health, outcome: Outcome, now: number, random: number): Health {
  switch (outcome.kind) {
    case "delivered":
      // Whoever asked for a pause gets it, whatever else succeeds meanwhile.
      return { ...HEALTHY, pausedUntil: health.pausedUntil };
    case "cut":
    case "gone":
      return health;
    case "failed": {
      // Those that were under way together when it went down are one failure, not many.
      const paused = pauseEnd(health, now);
      const counted = isDown(health) && paused > now;
      const failures = health.failures + (counted ? 0 : 1);
      const down = failures >= DOWN_AFTER;
      const probe = Math.min(PROBE_FIRST * 2 ** Math.min(failures - DOWN_AFTER, 10), PROBE_LAST);
      const pause = down && !counted ? Math.round(probe * (0.9 + random * 0.2)) : 0;
      const wish = Math.min(outcome.retryAfter ?? 0, LONGEST_WISH);
      return {
        failures,
        failingSince: health.failingSince ?? (down ? now : null),
        pausedUntil: Math.max(paused, now + Math.max(pause, wish)),
      };
    }
  }
}

function pauseEnd({ pausedUntil }: Health, now: number): number {
  return pausedUntil - now > FARTHEST ? 0 : pausedUntil;
}

/** Whether a success after this state ends an outage so long that what waits shall be told now. */
export function endsLongOutage(before: Health, now: number): boolean {
  return before.failingSince !== null && now - before.failingSince >= LONG_OUTAGE;
}

/** How many more attempts may begin; one at a time asks whether an endpoint is there again. */
export function room(health: Health, underWay: number, now: number): number {
  if (pauseEnd(health, now) > now) return 0;
  return Math.max(0, (isDown(health) ? 1 : AT_ONCE) - underWay);
}

/**
 * Whether an entry may be told for the first time: not where no row is left for its failure. While the endpoint is down
 * the cursor then stands still, so that an outage does not turn a ledger into rows.
 */
export function mayBegin(
  health: Pick<Health, "failures">,
  counts: { readonly waiting: number; readonly dead: number },
): boolean {
  return counts.dead < MOST_DEAD && (!isDown(health) || counts.waiting < MOST_WAITING);
}
