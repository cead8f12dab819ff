/** One look a second for all that is open: whoever was revoked, forked or suspended is told, once. */
import type { ProblemError } from "@tributary/shared/problems.ts";
import type { Database } from "../ledger/schema.ts";
import type { Principal } from "./principal.ts";
import { fallen, principalOf } from "./standing.ts";
import { accountStandings, agentStandings, keyStandings, type Standing } from "./standing-rows.ts";

interface Watch {
  readonly principal: Principal;
  readonly clients: readonly string[];
  readonly revoked: (reason: ProblemError) => void;
  readonly seen: ((principal: Principal) => void) | undefined;
}

/** Ids in one statement; databases limit them. */
const AT_ONCE = 500;

/** The gate's second half. The timer runs only while somebody is watched. */
export class Watchers {
  readonly #db: Database;
  readonly #pollMs: number;
  readonly #watches = new Set<Watch>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(db: Database, pollMs: number) {
    this.#db = db;
    this.#pollMs = pollMs;
  }

  add(
    principal: Principal,
    clients: readonly string[],
    revoked: (reason: ProblemError) => void,
    seen?: (principal: Principal) => void,
  ): () => void {
    const watch = { principal, clients, revoked, seen };
    this.#watches.add(watch);
    this.#wind();
    return () => void this.#watches.delete(watch);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wind(): void {
    if (this.#timer || this.#closed || this.#watches.size === 0) return;
    this.#timer = setTimeout(() => {
      // A ledger that does not answer revokes nobody; the next look follows in a second.
      void this.#look()
        .catch(() => {})
        .finally(() => {
          this.#timer = undefined;
          this.#wind();
        });
    }, this.#pollMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const watches = [...this.#watches];
    const ids = (kind: Principal["kind"]): string[] => [
      ...new Set(watches.flatMap(({ principal }) => (principal.kind === kind ? [principal.id] : []))),
    ];
    const standings = {
      agent: await inBatches(ids("agent"), (some) => agentStandings(this.#db, some)),
      key: await inBatches(ids("key"), (some) => keyStandings(this.#db, some)),
      account: await inBatches(ids("account"), (some) => accountStandings(this.#db, { ids: some })),
    };
    for (const watch of watches) {
      const { kind, id } = watch.principal;
      const standing = standings[kind].get(id);
      const reason = fallen(watch.principal, watch.clients, standing);
      if (!this.#watches.has(watch)) continue;
      if (reason) this.#watches.delete(watch);
      try {
        if (reason) watch.revoked(reason);
        else if (standing) watch.seen?.(principalOf(id, standing));
      } catch {
        // one watcher's fault must not keep the others open
      }
    }
  }
}

async function inBatches<S extends Standing>(
  ids: readonly string[],
  look: (some: readonly string[]) => Promise<Map<string, S>>,
): Promise<Map<string, S>> {
  const all = new Map<string, S>();
  for (let at = 0; at < ids.length; at += AT_ONCE)
    for (const [id, standing] of await look(ids.slice(at, at + AT_ONCE))) all.set(id, standing);
  return all;
}
