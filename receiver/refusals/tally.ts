/**
 * Refusals on their way to the ledger, added up in memory: a sender that is refused a thousand times a second costs one
 * row every five seconds. Bounded, and only of bearers that were identified, so that strangers make no rows.
 */

import type { Database } from "../ledger/schema.ts";
import { addRefusals, forgetRefusals, keyOf, type Refusals } from "./refusals.ts";
import type { BearerKind } from "./schema.ts";

export interface Refused {
  readonly client: string;
  readonly bearer: string;
  readonly bearerKind: BearerKind;
  readonly code: string;
  readonly detail: string;
  readonly path: string;
  readonly requestId: string | null;
}

export interface TallyOptions {
  readonly db: Database;
  /** Hears that the ledger did not take them; they are added with the next ones. */
  readonly failed: (error: unknown) => void;
  readonly now?: () => number;
  readonly everyMs?: number;
}

const EVERY_MS = 5000;
const MOST_KEYS = 10_000;
const MOST_TEXT = 500;
/** Looking for what is to be forgotten. */
const FORGET_EVERY_MS = 3_600_000;

export class RefusalTally {
  readonly #db: Database;
  readonly #failed: (error: unknown) => void;
  readonly #now: () => number;
  readonly #everyMs: number;
  #open = new Map<string, Refusals>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor({ db, failed, now = Date.now, everyMs = EVERY_MS }: TallyOptions) {
    this.#db = db;
    this.#failed = failed;
    this.#now = now;
    this.#everyMs = everyMs;
  }

  add(refused: Refused): void {
    const key = keyOf(refused);
    const known = this.#open.get(key);
    // So many at once come only while the ledger takes nothing.
    if (known === undefined && this.#open.size >= MOST_KEYS) return;
    const now = this.#now();
    const { client, bearer, bearerKind, code, detail, path, requestId } = refused;
    this.#open.set(key, {
      ...{ client, bearer, bearerKind, code },
      count: (known?.count ?? 0) + 1,
      firstAt: known?.firstAt ?? now,
      lastAt: now,
      lastDetail: detail.slice(0, MOST_TEXT),
      lastPath: path.slice(0, MOST_TEXT),
      lastRequestId: requestId,
    });
    this.#timer ??= setTimeout(() => void this.flush(), this.#everyMs).unref();
  }

  /** Writes what is there now. Never fails: what the ledger does not take is kept for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  async #write(): Promise<void> {
    const taken = this.#open;
    if (taken.size === 0) return;
    this.#open = new Map();
    try {
      await addRefusals(this.#db, [...taken.values()]);
    } catch (error) {
      this.#failed(error);
      this.#putBack(taken);
      return;
    }
    const now = this.#now();
    if (now - this.#forgotAt < FORGET_EVERY_MS) return;
    this.#forgotAt = now;
    await forgetRefusals(this.#db, now).catch(this.#failed);
  }

  #putBack(taken: ReadonlyMap<string, Refusals>): void {
    for (const [key, before] of taken) {
      const since = this.#open.get(key);
      if (since === undefined && this.#open.size >= MOST_KEYS) continue;
      const { count, firstAt } = before;
      this.#open.set(key, { ...(since ?? before), count: count + (since?.count ?? 0), firstAt });
    }
    this.#timer ??= setTimeout(() => void this.flush(), this.#everyMs).unref();
  }
}
