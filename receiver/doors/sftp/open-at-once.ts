/** What each account may have open at once, over all its sessions: many sessions must not hold more than one may. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Account } from "../../identity/account.ts";

export class OpenAtOnce {
  readonly #open = new Map<string, number>();
  readonly #most: number;
  readonly #what: string;

  /** `what`: in words, behind the number. */
  constructor(most: number, what: string) {
    this.#most = most;
    this.#what = what;
  }

  /** The answer gives the place back. Throws `limit-concurrent`. */
  take({ principal: { id }, user }: Account): () => void {
    const open = this.#open.get(id) ?? 0;
    if (open >= this.#most)
      throw new ProblemError(
        "limit-concurrent",
        `the SFTP account "${user}" may have ${this.#most} ${this.#what} at once, and has`,
        { retryAfter: 1 },
      );
    this.#open.set(id, open + 1);
    return () => {
      const left = (this.#open.get(id) ?? 1) - 1;
      if (left > 0) this.#open.set(id, left);
      else this.#open.delete(id);
    };
  }
}
