/**
 * Following the ledger. One look at its position serves everybody who waits: at once after a commit of our own,
 * every half second for those of other receivers.
 */
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import type { History, Scope } from "../ledger/ledger.ts";

const LOOK_EVERY_MS = 500;

export class Tail {
  readonly #history: Pick<History, "since" | "position">;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #seq = -1;
  #looking = false;

  constructor(history: Pick<History, "since" | "position">) {
    this.#history = history;
  }

  /** Entries of the scope after `seq` in commit order, at most `limit`; waits for one until `signal`, then gives none. */
  async next(
    seq: number,
    limit: number,
    scope: Scope,
    signal: AbortSignal,
  ): Promise<readonly ManifestLine[]> {
    for (;;) {
      const changed = this.#change(signal);
      const lines = await this.#history.since(seq, limit, scope);
      if (lines.length > 0 || signal.aborted) {
        changed.cancel();
        return lines;
      }
      await changed.happened;
    }
  }

  /** After a commit of our own: nobody needs to wait for the next look. */
  poke(): void {
    if (this.#waiting.size > 0) void this.#look();
  }

  /** Registered before the ledger is read, so that a commit in between is not missed. */
  #change(signal: AbortSignal): { readonly happened: Promise<void>; readonly cancel: () => void } {
    let wake = (): void => {};
    const happened = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const cancel = (): void => {
      this.#waiting.delete(cancel);
      signal.removeEventListener("abort", cancel);
      wake();
    };
    this.#waiting.add(cancel);
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    else this.#timer ??= setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    return { happened, cancel };
  }

  async #look(): Promise<void> {
    if (this.#waiting.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { seq } = await this.#history.position();
      if (seq === this.#seq) return;
      this.#seq = seq;
      for (const wake of [...this.#waiting]) wake();
    } catch {
      // The ledger is away: whoever waits goes on waiting, and the next look tries again.
    } finally {
      this.#looking = false;
    }
  }
}
