/**
 * The receiver's time as far as its `Date` headers tell. A `Date` has a resolution of one second, so each answer
 * only bounds the truth: the receiver's clock showed a moment in [Date, Date + 1 s) at some instant between
 * sending and hearing. Bounds of several answers are intersected (Cristian's algorithm), which gives a few
 * milliseconds after a few answers; they widen slowly, since clocks drift. The host's own clock counts while it lies
 * within the bounds: it is mostly right to a few milliseconds, and the middle of a second is not. Between answers a
 * monotonic clock counts, so a jump of the host's clock moves nothing.
 */
export interface Clock {
  /** The receiver's time, ms since 1970; the host's until the receiver was heard. */
  now(): number;
}

/** Ordinary quartz drifts below 50 ppm; the bounds widen a little faster than two of them together can. */
const DRIFT = 200e-6;

export class ReceiverClock implements Clock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** Bounds of (receiver's time - monotonic time), as of `#heardAt`. */
  #bounds: { readonly low: number; readonly high: number } | undefined;
  /** The best guess within them. */
  #offset = 0;
  #heardAt = 0;

  constructor(wall: () => number = () => Date.now(), monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
  }

  now(): number {
    return this.#bounds === undefined ? this.#wall() : Math.round(this.#monotonic() + this.#offset);
  }

  /** Receiver minus host in ms; 0 until the receiver was heard. */
  skewMs(): number {
    return this.#bounds === undefined ? 0 : Math.round(this.now() - this.#wall());
  }

  /** The instant to hand to `heard` once the answer is here. */
  mark(): number {
    return this.#monotonic();
  }

  /** Takes the `Date` of an answer to a request that was sent at `mark`. Anything unreadable is ignored. */
  heard(date: string | undefined, mark: number): void {
    const shown = date === undefined ? Number.NaN : Date.parse(date);
    if (!Number.isFinite(shown)) return;
    const heardAt = this.#monotonic();
    const low = shown - heardAt;
    const high = shown + 1000 - mark;
    const slack = (heardAt - this.#heardAt) * DRIFT;
    const before = this.#bounds;
    const both = before && {
      low: Math.max(low, before.low - slack),
      high: Math.min(high, before.high + slack),
    };
    // Nothing in common: the receiver's clock was set, or this host slept. Only the newest answer counts.
    this.#bounds = both && both.low <= both.high ? both : { low, high };
    const host = this.#wall() - heardAt;
    const { low: least, high: most } = this.#bounds;
    this.#offset = least <= host && host <= most ? host : (least + most) / 2;
    this.#heardAt = heardAt;
  }
}
