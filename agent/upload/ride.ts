/**
 * Which way a parcel leaves, by its size and the measured round trip: in a bundle with others what would wait longer for
 * its own answer than its bytes take, in parts what is worth several lines, alone what lies between. Pure.
 */

/** Below it a round trip of its own always costs more than the bytes. */
const LEAST = 64 * 2 ** 10;
/** What receivers take of many files at once; larger ones would hold up those behind them in the bundle. */
const MOST = 256 * 2 ** 10;
/** What a line is taken to carry in a millisecond, in bytes. */
const LINE = 10_000;

/** Files of at most so many bytes ride along; `roundTripMs` undefined: not measured yet. */
export function ridesUpTo(roundTripMs: number | undefined): number {
  return Math.min(MOST, Math.max(LEAST, Math.round((roundTripMs ?? 0) * LINE)));
}

/** The quickest of the last answers: the others waited for something else than the way. */
export class RoundTrip {
  readonly #last: number[] = [];

  heard(ms: number): void {
    this.#last.push(ms);
    if (this.#last.length > 16) this.#last.shift();
  }

  /** Undefined before the first answer. */
  get ms(): number | undefined {
    return this.#last.length === 0 ? undefined : Math.min(...this.#last);
  }
}
