/**
 * How fast bytes may leave: one bucket for the whole agent, with a schedule over the week in the host's local time.
 * The decisions are pure; the loop around them only waits.
 */
import type { AgentSettings } from "../config.ts";

export type Limits = Pick<AgentSettings["limits"], "bandwidth" | "schedule">;

export interface Bandwidth {
  /** Resolves when this many bytes may leave; rejects when the signal ends the waiting. */
  pass(bytes: number): Promise<void>;
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** Bytes per second at this local time; undefined: no limit; 0: nothing may leave. The first window that fits wins. */
export function rateAt(limits: Limits, at: Date): number | undefined {
  const minute = at.getHours() * 60 + at.getMinutes();
  const day = at.getDay();
  for (const window of limits.schedule) {
    const from = minutes(window.from);
    const to = minutes(window.to);
    const days = daysOf(window.days);
    // Over midnight a window belongs to the day on which it begins.
    const fits =
      from < to
        ? days.has(day) && minute >= from && minute < to
        : (days.has(day) && minute >= from) || (days.has((day + 6) % 7) && minute < to);
    if (fits) return window.bandwidth;
  }
  return limits.bandwidth;
}

function minutes(time: string): number {
  const [hours, minute] = time.split(":").map(Number);
  return (hours as number) * 60 + (minute as number);
}

/** "mon-fri", "sat,sun", "fri-mon" (over the week's end) as numbers of Date.getDay. */
export function daysOf(text: string): ReadonlySet<number> {
  const days = new Set<number>();
  for (const part of text.toLowerCase().split(",")) {
    const [first = "", last = first] = part
      .trim()
      .split("-")
      .map((name) => name.trim());
    const from = DAYS.indexOf(first);
    const to = DAYS.indexOf(last);
    if (from === -1 || to === -1) continue;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return days;
}

/** A bucket's content; negative when bytes left on credit. */
export interface Bucket {
  readonly tokens: number;
  /** ms of a monotonic clock. */
  readonly at: number;
}

/** A short burst keeps the line busy between two turns of the loop. */
const BURST_MS = 250;

/** Fills the bucket up to now and takes the bytes when it holds anything at all; else says how long to wait. */
export function takeFrom(
  bucket: Bucket,
  rate: number,
  bytes: number,
  now: number,
): { readonly bucket: Bucket; readonly waitMs: number } {
  const most = (rate * BURST_MS) / 1000;
  const tokens = Math.min(most, bucket.tokens + ((now - bucket.at) * rate) / 1000);
  if (tokens > 0) return { bucket: { tokens: tokens - bytes, at: now }, waitMs: 0 };
  return { bucket: { tokens, at: now }, waitMs: Math.ceil(((1 - tokens) / rate) * 1000) };
}

export interface Timing {
  /** Monotonic ms. */
  readonly now: () => number;
  readonly wall: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Longest nap: a window that begins, or a new configuration, counts within it. */
const NAP_MS = 500;

/** The one bucket; `limits` are read for every piece, so a changed configuration counts at once. */
export function bandwidthOf(limits: () => Limits, timing: Timing): Bandwidth {
  let bucket: Bucket = { tokens: 0, at: timing.now() };
  let turn: Promise<void> = Promise.resolve();
  const wait = async (bytes: number): Promise<void> => {
    while (true) {
      const rate = rateAt(limits(), timing.wall());
      if (rate === undefined) {
        bucket = { tokens: 0, at: timing.now() };
        return;
      }
      if (rate === 0) {
        await timing.sleep(NAP_MS);
        bucket = { tokens: 0, at: timing.now() };
        continue;
      }
      const took = takeFrom(bucket, rate, bytes, timing.now());
      bucket = took.bucket;
      if (took.waitMs === 0) return;
      await timing.sleep(Math.min(NAP_MS, took.waitMs));
    }
  };
  return {
    pass: async (bytes) => {
      if (rateAt(limits(), timing.wall()) === undefined) return;
      // One after the other, so that nobody starves.
      turn = turn.then(() => wait(bytes));
      await turn;
    },
  };
}
