/**
 * Work that strangers may ask for, a few at a time. Whoever asks for much waits behind himself: the next one to be
 * worked for is another's, and when all places are taken a newcomer gets that of whoever has most of them.
 */
import { ProblemError } from "@tributary/shared/problems.ts";

export interface FairQueueBounds {
  readonly atOnce: number;
  /** Waiting of one asker. */
  readonly each: number;
  /** Waiting in all. */
  readonly all: number;
}

interface Waiting {
  readonly begin: () => void;
  readonly turnAway: () => void;
}

export class FairQueue {
  readonly #bounds: FairQueueBounds;
  /** The asker whose turn is next stands first. None has an empty list. */
  readonly #waiting = new Map<string, Waiting[]>();
  #running = 0;
  #count = 0;

  constructor(bounds: FairQueueBounds) {
    this.#bounds = bounds;
  }

  /** Throws `busy` when there is no place for it, it lost its place, or the asker is `gone` before its turn. */
  async run<T>(asker: string, work: () => Promise<T>, gone?: AbortSignal): Promise<T> {
    if (gone?.aborted) throw busy();
    if (this.#running >= this.#bounds.atOnce) await this.#turn(asker, gone);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** Whoever ends hands its turn on, so the one that begins is counted already. */
  #turn(asker: string, gone: AbortSignal | undefined): Promise<void> {
    const own = this.#waiting.get(asker) ?? [];
    if (own.length >= this.#bounds.each) throw busy();
    if (this.#count >= this.#bounds.all && !this.#makePlace(own.length + 1)) throw busy();
    return new Promise((resolve, reject) => {
      const one = { begin: resolve, turnAway: () => reject(busy()) };
      own.push(one);
      this.#count += 1;
      this.#waiting.set(asker, own);
      gone?.addEventListener("abort", () => this.#leave(asker, one), { once: true });
    });
  }

  #leave(asker: string, one: Waiting): void {
    const own = this.#waiting.get(asker) ?? [];
    const at = own.indexOf(one);
    if (at < 0) return;
    own.splice(at, 1);
    if (own.length === 0) this.#waiting.delete(asker);
    this.#count -= 1;
    one.turnAway();
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#running -= 1;
      return;
    }
    const [asker, own] = first;
    const one = own.shift();
    this.#count -= 1;
    this.#waiting.delete(asker);
    if (own.length > 0) this.#waiting.set(asker, own);
    one?.begin();
  }

  /** Takes the last place of whoever has more than `least`. */
  #makePlace(least: number): boolean {
    let most: Waiting[] = [];
    for (const own of this.#waiting.values()) if (own.length > most.length) most = own;
    if (most.length <= least) return false;
    most.pop()?.turnAway();
    this.#count -= 1;
    return true;
  }
}

function busy(): ProblemError {
  return new ProblemError("busy", "too many passwords are being looked at; try again in a moment", {
    retryAfter: 5,
  });
}
