/** What the ledger tells of itself and of the site: bounded, however much it holds, and no column that could be a secret. */
import { sql } from "kysely";
import { fleetStanding, silentAfter } from "../fleet/standing.ts";
import { parseStatus } from "../identity/agents.ts";
import { type LedgerDatabase, ledgerClock, named } from "../ledger/database.ts";
import { schemaNumber } from "../ledger/migrations.ts";
import type { Tables } from "../ledger/schema.ts";
import { manifestStanding } from "../ledger/standing.ts";
import { listRefusals } from "../refusals/refusals.ts";
import { listWebhooks } from "../webhooks/standing.ts";
import type { DiagnosticParts } from "./diagnostics.ts";

export interface LedgerLooks {
  readonly database: LedgerDatabase;
  readonly kind: "sqlite" | "postgres";
  /** How often agents shall report, ms. */
  readonly heartbeat: number;
  readonly now?: () => number;
}

/** Counted up to this: the numbers of entries and heads follow from the last seq. */
const MOST_COUNTED = 10_000;
const MOST_AGENTS = 500;
const MOST_OF_AN_AGENT = 20;
const MOST_REFUSALS = 500;
const DAY_MS = 86_400_000;
const COUNTED = [
  ...(["clients", "agents", "api_keys", "sftp_accounts", "webhooks", "webhook_events"] as const),
  ...(["uploads", "quarantined", "leases", "invitations", "unchanged_captures", "segments"] as const),
] satisfies readonly (keyof Tables)[];

export function ledgerParts({ database, kind, heartbeat, now = Date.now }: LedgerLooks): DiagnosticParts {
  const { db } = database;
  return {
    ledger: async () => {
      const { epoch, last_seq, last_commit_at, known_since } = await named(() =>
        db.selectFrom("site").selectAll().where("id", "=", 1).executeTakeFirstOrThrow(),
      );
      return {
        ...{ kind, schema: await schemaNumber(db), epoch, lastSeq: last_seq },
        lastCommitAt: last_commit_at === 0 ? null : new Date(last_commit_at).toISOString(),
        knownSince: new Date(known_since).toISOString(),
        bytes: await sizeOf(database, kind),
        freeBytes: (await database.free()) ?? null,
        manifest: await manifestStanding(db),
      };
    },
    counts: async () => {
      const counts: [string, number | string][] = [];
      for (const table of COUNTED) counts.push([table, await count(database, table)]);
      return Object.fromEntries(counts);
    },
    clock: async () => {
      const before = now();
      const ledger = await ledgerClock(database);
      const own = (before + now()) / 2;
      return {
        own: new Date(own).toISOString(),
        ledger: new Date(ledger).toISOString(),
        differenceMs: ledger - own,
      };
    },
    fleet: async () => await fleetStanding(db, now() - silentAfter(heartbeat)),
    agents: async () => await agents(database),
    refusals: async () => await listRefusals(db, { since: now() - DAY_MS, limit: MOST_REFUSALS }),
    webhooks: async () =>
      (await listWebhooks(db)).map(({ url, ...view }) => ({ ...view, host: URL.parse(url)?.host ?? null })),
  };
}

async function sizeOf({ db }: LedgerDatabase, kind: LedgerLooks["kind"]): Promise<number> {
  const { rows } = await named(() =>
    (kind === "sqlite"
      ? sql<{
          bytes: number;
        }>`select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()`
      : sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`
    ).execute(db),
  );
  return Number(rows[0]?.bytes);
}

async function count({ db }: LedgerDatabase, table: (typeof COUNTED)[number]): Promise<number | string> {
  const some = db
    .selectFrom(table)
    .select(sql.lit(1).as("one"))
    .limit(MOST_COUNTED + 1);
  const { rows } = await named(() =>
    sql<{ count: number }>`select count(*) as count from (${some}) as counted`.execute(db),
  );
  const found = Number(rows[0]?.count);
  return found > MOST_COUNTED ? `more than ${MOST_COUNTED}` : found;
}

/** Those that were heard last, with what they said; of their sources and problems the first ones. */
async function agents({ db }: LedgerDatabase): Promise<readonly unknown[]> {
  const rows = await named(() =>
    db
      .selectFrom("agents")
      .select(["id", "name", "state", "host", "platform", "version", "created_at", "last_seen_at", "status"])
      .orderBy("last_seen_at", "desc")
      .limit(MOST_AGENTS)
      .execute(),
  );
  return rows.map(({ created_at, last_seen_at, status: text, ...agent }) => {
    const status = parseStatus(text);
    return {
      ...agent,
      createdAt: new Date(created_at).toISOString(),
      lastSeenAt: last_seen_at === null ? null : new Date(last_seen_at).toISOString(),
      status: status && {
        ...status,
        sources: status.sources.slice(0, MOST_OF_AN_AGENT),
        problems: status.problems.slice(0, MOST_OF_AN_AGENT),
      },
    };
  });
}
