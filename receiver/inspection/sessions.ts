/** At most so many at once; who waits for a place too long is told so. */
export class Sessions {
  readonly #most: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Rejects with the signal's reason when it comes before a place is free. */
  async hold<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#most) this.#taken += 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      // The place goes on to who waits longest.
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason);
      };
      const go = (): void => {
        this.#waiting.delete(go);
        signal.removeEventListener("abort", late);
        resolve();
      };
      if (signal.aborted) return late();
      signal.addEventListener("abort", late, { once: true });
      this.#waiting.add(go);
    });
  }
}
