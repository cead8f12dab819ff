/** At most so many at once. Who waits goes on waiting as long as there is progress: what ends that ends all waiting. */
export class Sessions {
  readonly #most: number;
  #taken = 0;
  readonly #waiting = new Set<{ readonly go: () => void; readonly refuse: (why: unknown) => void }>();

  constructor(most: number) {
    this.#most = most;
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#most) this.#taken += 1;
    else await new Promise<void>((go, refuse) => this.#waiting.add({ go, refuse }));
    try {
      return await work();
    } finally {
      // The place goes on to who waits longest.
      const [next] = this.#waiting;
      if (next === undefined) this.#taken -= 1;
      else {
        this.#waiting.delete(next);
        next.go();
      }
    }
  }

  /** Those who wait would meet the same. */
  refuseWaiting(why: unknown): void {
    for (const { refuse } of this.#waiting) refuse(why);
    this.#waiting.clear();
  }
}
