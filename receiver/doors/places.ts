/** How many bodies may be on their way at once: the rest is told to come again, before anything was sent. */
import { ProblemError } from "@tributary/shared/problems.ts";

export class Places {
  readonly #most: number;
  readonly #does: "takes" | "hands out";
  #taken = 0;

  constructor(most: number, does: "takes" | "hands out" = "takes") {
    this.#most = most;
    this.#does = does;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Throws `busy`. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#most)
      throw new ProblemError("busy", `the receiver ${this.#does} ${this.#most} files at once; come again`, {
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
