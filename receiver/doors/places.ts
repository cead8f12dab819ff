/** How many bodies may be on their way in at once: the rest is told to come again, before it has sent anything. */
import { ProblemError } from "@tributary/shared/problems.ts";

export class Places {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Throws `busy`. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#most)
      throw new ProblemError("busy", `the receiver takes ${this.#most} files at once; come again`, {
        retryAfter: 1,
      });
    this.#taken += 1;
    try {
      return await work();
    } finally {
      this.#taken -= 1;
    }
  }
}
