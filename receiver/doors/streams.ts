/**
 * How many event streams are open at this receiver. Each costs a look at the ledger at every commit and holds a
 * connection for as long as its reader likes, so neither one bearer's nor all together may be without end.
 */
import { ProblemError } from "@tributary/shared/problems.ts";

/** Whose streams are counted together: a bearer of any kind, or a person. */
export interface Streamer {
  readonly kind: string;
  readonly id: string;
}

/** One bearer's: a few programs behind one key, and connections that its host has lost and ours not yet. */
const MOST_OF_ONE = 16;

export class Streams {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws `busy` or `limit-requests`. */
  async hold<T>({ kind, id }: Streamer, work: () => Promise<T>): Promise<T> {
    const bearer = `${kind} ${id}`;
    const own = this.#open.get(bearer) ?? 0;
    if (own >= MOST_OF_ONE)
      throw new ProblemError(
        "limit-requests",
        `these credentials have ${MOST_OF_ONE} event streams open, which is as many as they may; close one, or read pages`,
        { retryAfter: 15 },
      );
    const all = [...this.#open.values()].reduce((sum, count) => sum + count, 0);
    if (all >= this.#most)
      throw new ProblemError("busy", `the receiver has ${this.#most} event streams open; come again`, {
        retryAfter: 15,
      });
    this.#open.set(bearer, own + 1);
    try {
      return await work();
    } finally {
      const left = (this.#open.get(bearer) ?? 1) - 1;
      if (left === 0) this.#open.delete(bearer);
      else this.#open.set(bearer, left);
    }
  }
}
