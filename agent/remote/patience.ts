/**
 * A place that is away is asked for again only after a while, longer each time: thousands of files wait for one answer,
 * and a server that is overloaded is not helped by them.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { RemoteError } from "./remote.ts";

const [FIRST_MS, LONGEST_MS] = [5_000, 60_000];
/** However long a place asks to be left alone. */
const MOST_SAID_MS = 600_000;

export class Patience {
  /** ms of a clock that never jumps. */
  readonly #now: () => number;
  #away: RemoteError | undefined;
  #until = 0;
  #times = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Does it, or throws at once what the place last said while it is left alone. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    try {
      const answer = await work();
      this.worked();
      return answer;
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** Throws while the place is left alone. */
  check(): void {
    if (this.#away !== undefined && this.isAway()) throw this.#away;
  }

  /** It is left alone. */
  isAway(): boolean {
    return this.#away !== undefined && this.#now() < this.#until;
  }

  worked(): void {
    this.#away = undefined;
    this.#times = 0;
  }

  /** The error to go on with; one that says that the place is away is remembered. */
  failed(cause: unknown): unknown {
    // A secret that is not there keeps the place away until it is.
    const error = cause instanceof ProblemError ? new RemoteError("away", cause.message, { cause }) : cause;
    if (!(error instanceof RemoteError) || error.failure !== "away") return error;
    const waitMs = Math.max(
      Math.min(MOST_SAID_MS, (error.retryAfter ?? 0) * 1000),
      Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#times),
    );
    // What many find out at one moment counts once.
    if (this.#away === undefined || this.#now() >= this.#until) this.#times += 1;
    this.#away = error;
    this.#until = this.#now() + waitMs;
    return error;
  }
}
