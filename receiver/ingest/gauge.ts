/**
 * A measurement that is taken now and then, and what came on top of it meanwhile. What is added counts until a
 * reading that *began* afterwards: an earlier one may have missed it, and a sum that misses bytes lets others in.
 */
export interface Reading<T> {
  readonly value: T;
  /** Bytes that were added since this reading began, up to now. */
  readonly since: () => number;
}

export class Gauge<T> {
  readonly #read: () => Promise<T>;
  readonly #forMs: number;
  readonly #now: () => number;
  /** Of all time: readings remember where it stood. */
  #added = 0;
  #last: { readonly at: number; readonly reading: Promise<Reading<T>> } | undefined;

  constructor(read: () => Promise<T>, forMs: number, now: () => number) {
    this.#read = read;
    this.#forMs = forMs;
    this.#now = now;
  }

  add(bytes: number): void {
    this.#added += bytes;
  }

  /** At most `forMs` old. Rejects with the reason why it could not be read. */
  async look(): Promise<Reading<T>> {
    const { at, reading } = this.#last ?? { at: Number.NEGATIVE_INFINITY };
    return reading !== undefined && this.#now() - at < this.#forMs ? await reading : await this.lookAnew();
  }

  /** Begun now: for whoever would be refused by what was true a moment ago. */
  async lookAnew(): Promise<Reading<T>> {
    const before = this.#added;
    const look = {
      at: this.#now(),
      reading: this.#read().then((value) => ({ value, since: () => this.#added - before })),
    };
    this.#last = look;
    try {
      return await look.reading;
    } catch (error) {
      if (this.#last === look) this.#last = undefined;
      throw error;
    }
  }
}
