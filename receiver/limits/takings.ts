/**
 * How a limit over a window of time is kept: what was taken lately is remembered with its time, and leaves as it gets
 * older than the window. So the limit holds for every window, whenever it begins; windows that stand side by side let
 * twice as much pass around their border. Pure: whoever keeps the counts stores what comes back.
 */
import type { Frequency } from "@tributary/shared/units.ts";
import type { Taken } from "./counts.ts";

/** Taken together, by their last time in ms. */
export interface Taking {
  readonly at: number;
  readonly count: number;
}

/** Those that came within such a part of the window are one: they leave together, the first of them a little late. */
const PARTS = 60;

/** As many of `wanted` as the window has left; oldest taking first. */
export function takeOf(
  before: readonly Taking[],
  { count, perMs }: Frequency,
  wanted: number,
  at: number,
): { readonly takings: readonly Taking[]; readonly taken: Taken } {
  const newest = before.at(-1)?.at ?? at;
  // The clock was turned back: it stands still until it has caught up, for a window at most.
  const now = newest - at > perMs ? at : Math.max(at, newest);
  const open = before.filter((taking) => taking.at <= now && taking.at > now - perMs);
  const used = sumOf(open);
  const granted = Math.max(0, Math.min(wanted, count - used));
  const takings = granted === 0 ? open : joined(open, { at: now, count: granted }, perMs / PARTS);
  const left = Math.max(0, count - used - granted);
  return { takings, taken: { granted, left, moreInMs: moreAt(takings, count, perMs, now) - at } };
}

function joined(takings: readonly Taking[], next: Taking, partMs: number): readonly Taking[] {
  const last = takings.at(-1);
  if (last === undefined || Math.floor(last.at / partMs) !== Math.floor(next.at / partMs))
    return [...takings, next];
  return [...takings.slice(0, -1), { at: next.at, count: last.count + next.count }];
}

/** When more is left than now. Of a limit that was made smaller several takings may have to leave first. */
function moreAt(takings: readonly Taking[], count: number, perMs: number, now: number): number {
  let used = sumOf(takings);
  for (const taking of takings) {
    used -= taking.count;
    if (used < count) return taking.at + perMs;
  }
  return now + perMs;
}

function sumOf(takings: readonly Taking[]): number {
  return takings.reduce((sum, { count }) => sum + count, 0);
}
