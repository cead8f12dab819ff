/**
 * What is counted of all receivers of a site together: requests in a window of time, and uploads that are under way.
 * Both are asked for in advance, many at a time, so that no request waits for a database. What a receiver was given
 * and does not use is lost to the others until it leaves the window or the slots are given back.
 */
import type { Frequency } from "@tributary/shared/units.ts";

export interface Counts {
  /** Takes up to `wanted` requests of the subject: those of any window of `perMs`, whenever it begins, stay within the limit. */
  take(subject: string, frequency: Frequency, wanted: number): Promise<Taken>;
  /**
   * From now on this receiver has `wanted` of the subject's `most` slots, or as many of them as the others leave; the
   * answer says how many. They last SLOTS_MS, unless it is said again; 0 gives them back.
   */
  hold(subject: string, wanted: number, most: number): Promise<number>;
}

export interface Taken {
  readonly granted: number;
  /** What is left for whoever asks next. */
  readonly left: number;
  /** Until there is more: the oldest that were taken are as old as the window. To be counted from when it was asked. */
  readonly moreInMs: number;
}

/** A receiver that is dead gives back its slots after this time. */
export const SLOTS_MS = 15_000;
