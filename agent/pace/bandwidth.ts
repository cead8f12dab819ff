/**
 * How fast bytes may leave: one bucket for the whole agent, with a schedule over the week in the host's local time.
 * The decisions are pure; the loop around them only waits.
 */
import type { AgentSettings } from "../config.ts";

export type Limits = Pick<AgentSettings["limits"], "bandwidth" | "schedule">;

export interface Bandwidth {
  /** How many of `most` bytes may leave now, at least one; waits for its turn. Rejects with the signal's reason, at once. */
  take(most: number, signal: AbortSignal): Promise<number>;
}

/** The one bucket, which tells what it holds up. */
export interface Pacing extends Bandwidth {
  /** Streams that wait for their turn now. */
  waiting(): number;
}

/** The same, of which each piece is counted as it goes. */
export function counted(bandwidth: Bandwidth, left: (bytes: number) => void): Bandwidth {
  return {
    async take(most, signal) {
      const bytes = await bandwidth.take(most, signal);
      left(bytes);
      return bytes;
    },
  };
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
/** Bytes of one turn: as many as leave in this time, so that none of many streams falls silent for long. */
const TURN_MS = 250;
const SMALLEST_TURN = 256;

interface Waiter {
  readonly most: number;
  readonly grant: (bytes: number) => void;
}

/** The one bucket; `limits` are read for every turn, so a changed configuration counts at once. */
export function bandwidthOf(limits: () => Limits, timing: Timing): Pacing {
  let bucket: Bucket = { tokens: 0, at: timing.now() };
  let serving = false;
  const waiting: Waiter[] = [];

  /** One turn for each in the order in which they came; who wants more comes again behind the others. */
  const serve = async (): Promise<void> => {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const rate = rateAt(limits(), timing.wall());
      if (rate === undefined || rate === 0) bucket = { tokens: 0, at: timing.now() };
      if (rate === 0) {
        await timing.sleep(NAP_MS);
        continue;
      }
      const bytes = rate === undefined ? first.most : Math.min(first.most, turnOf(rate));
      if (rate !== undefined) {
        const took = takeFrom(bucket, rate, bytes, timing.now());
        bucket = took.bucket;
        if (took.waitMs > 0) {
          await timing.sleep(Math.min(NAP_MS, took.waitMs));
          continue;
        }
      }
      waiting.shift();
      first.grant(bytes);
    }
    serving = false;
  };

  return {
    waiting: () => waiting.length,
    take(most, signal) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      if (waiting.length === 0 && rateAt(limits(), timing.wall()) === undefined) return Promise.resolve(most);
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          most,
          grant: (bytes) => {
            signal.removeEventListener("abort", leave);
            resolve(bytes);
          },
        };
        const leave = (): void => {
          waiting.splice(waiting.indexOf(waiter), 1);
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", leave, { once: true });
        waiting.push(waiter);
        if (serving) return;
        serving = true;
        void serve();
      });
    },
  };
}

/** Takes all of these bytes, in as many turns as it needs. Throws the reason of an aborted signal. */
export async function takeAll(bandwidth: Bandwidth, bytes: number, signal: AbortSignal): Promise<void> {
  for (let left = bytes; left > 0; ) left -= await bandwidth.take(left, signal);
}

function turnOf(rate: number): number {
  return Math.max(SMALLEST_TURN, Math.floor((rate * TURN_MS) / 1000));
}

/** What one stream should have at least, in bytes a second: receivers cut what is slower than 1 KB/s. */
const STREAM_RATE = 16_000;

/** How many streams this rate is enough for: few quick ones end sooner than many slow ones. At least one. */
export function streamsAt(rate: number | undefined): number {
  return rate === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(rate / STREAM_RATE));
}
