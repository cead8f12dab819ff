/**
 * What this receiver may still take of one subject's limit without asking: a lease of a few requests, renewed in the
 * background before it is used up. Never more than was granted, so that all receivers together stay within the limit.
 */
import type { Frequency } from "@tributary/shared/units.ts";
import type { Counts } from "./counts.ts";

/** A limit that is used up in one go asks this often. */
const LEASES = 32;
/**
 * Whoever keeps the counts does not answer: for so long nothing is asked, and nobody is refused. The requests need the
 * ledger themselves; it says that it is away, and the limiter has nothing to add to that.
 */
const AWAY_MS = 1000;

export interface Standing {
  readonly granted: boolean;
  /** What is left, as far as this receiver knows. */
  readonly left: number;
  /** Until there is more. */
  readonly moreInMs: number;
}

export class Budget {
  readonly #subject: string;
  readonly #counts: Pick<Counts, "take">;
  readonly #now: () => number;
  /** Of the limit that the last answer was about: another one is asked about anew. */
  #count: number | undefined;
  /** Granted to us, not yet used. */
  #left = 0;
  /** What was granted is used within a window, or lost. */
  #leftUntil = Number.NEGATIVE_INFINITY;
  /** What there was beyond that when we last asked. */
  #beyond = 0;
  #moreAt = Number.NEGATIVE_INFINITY;
  #awayUntil = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #waiting = 0;

  constructor(subject: string, counts: Pick<Counts, "take">, now: () => number) {
    this.#subject = subject;
    this.#counts = counts;
    this.#now = now;
  }

  /** One request. */
  async take(frequency: Frequency): Promise<Standing> {
    this.#forget(frequency);
    for (;;) {
      if (this.#left > 0) {
        this.#left -= 1;
        if (this.#isLow(frequency)) void this.#ask(frequency);
        return this.#standing(true, frequency);
      }
      if (this.#beyond === 0 && this.#now() < this.#moreAt) return this.#standing(false, frequency);
      if (this.#now() < this.#awayUntil)
        return { granted: true, left: frequency.count, moreInMs: frequency.perMs };
      this.#waiting += 1;
      await this.#ask(frequency);
      this.#waiting -= 1;
      // However long the answer took, it is one: there was nothing.
      if (this.#left === 0 && this.#beyond === 0 && this.#now() >= this.#awayUntil)
        return this.#standing(false, frequency);
    }
  }

  /** A request that was taken was refused for another reason. */
  giveBack(): void {
    if (this.#now() < this.#leftUntil) this.#left += 1;
  }

  #forget(frequency: Frequency): void {
    if (this.#now() >= this.#leftUntil) this.#left = 0;
    if (this.#count === undefined || this.#count === frequency.count) return;
    this.#left = Math.min(this.#left, leaseOf(frequency));
    this.#moreAt = Number.NEGATIVE_INFINITY;
  }

  /** Of small limits nothing is taken in advance: it would be what another receiver has not. */
  #isLow(frequency: Frequency): boolean {
    const lease = leaseOf(frequency);
    return lease >= 4 && this.#beyond > 0 && this.#left < lease / 2;
  }

  /** One question at a time, for all that wait. Never rejects. */
  #ask(frequency: Frequency): Promise<void> {
    this.#asking ??= this.#lease(frequency).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #lease(frequency: Frequency): Promise<void> {
    const from = this.#now();
    // Whoever comes in this turn of the event loop is counted in.
    await Promise.resolve();
    try {
      const wanted = Math.max(leaseOf(frequency), this.#waiting);
      const taken = await within(AWAY_MS, this.#counts.take(this.#subject, frequency, wanted));
      this.#count = frequency.count;
      this.#left += taken.granted;
      if (taken.granted > 0) this.#leftUntil = this.#now() + frequency.perMs;
      this.#beyond = taken.left;
      this.#moreAt = from + taken.moreInMs;
    } catch {
      this.#awayUntil = this.#now() + AWAY_MS;
    }
  }

  #standing(granted: boolean, { count }: Frequency): Standing {
    const left = Math.min(count, this.#left + this.#beyond);
    return { granted, left, moreInMs: Math.max(0, this.#moreAt - this.#now()) };
  }
}

const leaseOf = ({ count }: Frequency): number => Math.max(1, Math.floor(count / LEASES));

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
