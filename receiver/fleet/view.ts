/**
 * All agents at a glance, for pages that look again and again: kept in memory, and of 2,000 agents only those are read
 * anew that have reported since the last look. Small on purpose: what one agent said in full is read when it is opened.
 */

import { type AgentPause, type AgentStatus, parseStatus, pauseOf } from "../identity/agents.ts";
import { named } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { silentAfter } from "./standing.ts";

/** Times RFC 3339, sizes in bytes. */
export interface AgentSummary {
  readonly id: string;
  readonly name: string;
  readonly clients: readonly string[];
  /** silent: it is active, and has not reported for longer than it should. */
  readonly state: "active" | "silent" | "waiting" | "revoked" | "forked";
  readonly host: string;
  readonly platform: string;
  readonly version: string;
  readonly createdAt: string;
  readonly lastSeenAt: string | null;
  readonly skewMs: number;
  readonly queue: {
    readonly files: number;
    readonly bytes: number;
    readonly oldestSealedAt: string | null;
    readonly aside: number;
  };
  readonly sources: number;
  readonly settling: number;
  /** The centre wishes that nothing leaves it. */
  readonly pause: AgentPause | null;
  /** Those that it cannot reach, at most `MOST_SHOWN`. */
  readonly unreachable: readonly {
    readonly client: string;
    readonly source: string;
    readonly reason: string;
  }[];
  readonly unreachableSources: number;
  readonly problems: number;
  /** The first of them, at most `MOST_SHOWN`. */
  readonly worst: readonly AgentStatus["problems"][number][];
}

const MOST_SHOWN = 5;
const CHUNK = 200;
/** A look may be so old. */
const FRESH_MS = 1000;

interface Known {
  readonly seen: number | null;
  readonly status: AgentStatus | null;
}

export class FleetView {
  readonly #db: Database;
  readonly #silentAfter: number;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  #taken: { readonly at: number; readonly all: Promise<readonly AgentSummary[]> } | undefined;

  constructor(db: Database, heartbeatMs: number, now: () => number = Date.now) {
    this.#db = db;
    this.#silentAfter = silentAfter(heartbeatMs);
    this.#now = now;
  }

  /** Oldest first. At most a second old. */
  async agents(): Promise<readonly AgentSummary[]> {
    const now = this.#now();
    if (this.#taken === undefined || now - this.#taken.at >= FRESH_MS) {
      const all = this.#look(now);
      this.#taken = { at: now, all };
      all.catch(() => {
        this.#taken = undefined;
      });
    }
    return await this.#taken.all;
  }

  /** What an agent said last, as `agents` saw it. */
  statusOf(id: string): AgentStatus | null {
    return this.#known.get(id)?.status ?? null;
  }

  /** After an act on an agent: the next look is a new one. */
  forget(): void {
    this.#taken = undefined;
  }

  async #look(now: number): Promise<readonly AgentSummary[]> {
    const [rows, links] = await named(() =>
      Promise.all([
        this.#db
          .selectFrom("agents")
          .select(["id", "name", "state", "host", "platform", "version", "created_at", "last_seen_at"])
          .select(["paused_at", "paused_by"])
          .orderBy("created_at")
          .orderBy("id")
          .execute(),
        this.#db.selectFrom("agent_clients").selectAll().orderBy("client").execute(),
      ]),
    );
    const stale = rows.filter(
      (row) => this.#known.get(row.id)?.seen !== row.last_seen_at || row.state === "forked",
    );
    for (let from = 0; from < stale.length; from += CHUNK)
      await this.#read(stale.slice(from, from + CHUNK).map((row) => row.id));
    const there = new Set(rows.map((row) => row.id));
    for (const id of this.#known.keys()) if (!there.has(id)) this.#known.delete(id);
    const clients = Map.groupBy(links, (link) => link.agent_id);
    return rows.map((row) =>
      summaryOf(
        row,
        (clients.get(row.id) ?? []).map((link) => link.client),
        this.#known.get(row.id)?.status ?? null,
        now - this.#silentAfter,
      ),
    );
  }

  async #read(ids: readonly string[]): Promise<void> {
    const rows = await named(() =>
      this.#db.selectFrom("agents").select(["id", "last_seen_at", "status"]).where("id", "in", ids).execute(),
    );
    for (const { id, last_seen_at, status } of rows)
      this.#known.set(id, { seen: last_seen_at, status: parseStatus(status) });
    // What has to be done for others in between is done.
    await new Promise(setImmediate);
  }
}

type Row = Pick<
  Tables["agents"],
  | "id"
  | "name"
  | "state"
  | "host"
  | "platform"
  | "version"
  | "created_at"
  | "last_seen_at"
  | "paused_at"
  | "paused_by"
>;

function summaryOf(
  row: Row,
  clients: readonly string[],
  status: AgentStatus | null,
  silentBefore: number,
): AgentSummary {
  const { id, name, host, platform, version, last_seen_at } = row;
  const queue = status?.queue;
  const unreachable = (status?.sources ?? []).filter((source) => !source.reachable);
  return {
    ...{ id, name, clients, host, platform, version },
    state: stateOf(row, silentBefore),
    createdAt: new Date(row.created_at).toISOString(),
    lastSeenAt: last_seen_at === null ? null : new Date(last_seen_at).toISOString(),
    skewMs: status?.skewMs ?? 0,
    queue: {
      files: queue?.depth ?? 0,
      bytes: queue?.bytes ?? 0,
      oldestSealedAt: queue?.oldestSealedAt ?? null,
      aside: queue?.aside ?? 0,
    },
    sources: status?.sources.length ?? 0,
    pause: pauseOf(row),
    settling: (status?.sources ?? []).reduce((sum, source) => sum + source.settling, 0),
    unreachable: unreachable
      .slice(0, MOST_SHOWN)
      .map(({ client, name: source, reason }) => ({ client, source, reason: reason ?? "" })),
    unreachableSources: unreachable.length,
    problems: status?.problems.length ?? 0,
    worst: (status?.problems ?? []).slice(0, MOST_SHOWN),
  };
}

function stateOf({ state, created_at, last_seen_at }: Row, silentBefore: number): AgentSummary["state"] {
  if (state !== "active") return state;
  if (last_seen_at === null) return created_at < silentBefore ? "silent" : "waiting";
  return last_seen_at < silentBefore ? "silent" : "active";
}
