/**
 * What is counted of all receivers of a site together: requests in windows of time, and uploads that are under way.
 * Both are asked for in advance, many at a time, so that no request waits for a database. What a receiver was given
 * and does not use is lost to the others until the window ends or the slots are given back: never too much, at times
 * a little less.
 */
import type { Frequency } from "@tributary/shared/units.ts";

export interface Counts {
  /** Takes up to `wanted` requests of the subject out of its window, which begins when the first is taken. */
  take(subject: string, frequency: Frequency, wanted: number): Promise<Taken>;
  /**
   * From now on this receiver has `wanted` of the subject's `most` slots, or as many of them as the others leave; the
   * answer says how many. They last SLOTS_MS, unless it is said again; 0 gives them back.
   */
  hold(subject: string, wanted: number, most: number): Promise<number>;
}

export interface Taken {
  readonly granted: number;
  /** What the window still holds for whoever asks next. */
  readonly left: number;
  /** Names the window. */
  readonly window: number;
  /** To be counted from when it was asked: an answer that took long makes the window seem to end earlier, never later. */
  readonly endsInMs: number;
}

/** A receiver that is dead gives back its slots after this time. */
export const SLOTS_MS = 15_000;
