/**
 * Following the ledger. One look at its position serves everybody who waits: at once after a commit of our own,
 * every half second for those of other receivers. Where many wait, what is new is read once, and only those are woken
 * who may see something of it: each would ask the ledger, at every commit.
 */
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import type { History, Scope } from "../ledger/ledger.ts";

const LOOK_EVERY_MS = 500;
/** So few are all woken: reading for them costs more. */
const FEW = 4;
/** Entries that are read to know whom they concern; where there are more, all are woken. */
const BURST = 200;

export class Tail {
  readonly #history: Pick<History, "since" | "position">;
  readonly #waiting = new Map<() => void, Scope>();
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
      const changed = this.#change(scope, signal);
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
  #change(
    scope: Scope,
    signal: AbortSignal,
  ): { readonly happened: Promise<void>; readonly cancel: () => void } {
    let wake = (): void => {};
    const happened = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const cancel = (): void => {
      this.#waiting.delete(cancel);
      signal.removeEventListener("abort", cancel);
      wake();
    };
    this.#waiting.set(cancel, scope);
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
      const concerns = await this.#concerns(seq);
      this.#seq = seq;
      for (const [wake, scope] of [...this.#waiting]) if (concerns(scope)) wake();
    } catch {
      // The ledger is away: whoever waits goes on waiting, and the next look tries again.
    } finally {
      this.#looking = false;
    }
  }

  /** Whom what was committed since the last look concerns, up to this position. */
  async #concerns(seq: number): Promise<(scope: Scope) => boolean> {
    const all = (): boolean => true;
    if (this.#seq < 0 || seq < this.#seq || seq - this.#seq > BURST || this.#waiting.size <= FEW) return all;
    const lines = await this.#history.since(this.#seq, BURST);
    return ({ clients, source }) =>
      lines.some(
        (line) =>
          (clients === "all" || clients.includes(line.client)) &&
          (source === undefined || source === line.source),
      );
  }
}
