/**
 * `console-data.ts sqlite FILE|postgres URL [VERSIONS]`: fills a new ledger with what the console is measured on: 1,000
 * clients, 2,000 agents, 10 million versions of 90 days (or so many, with fewer clients). There are no bytes in any lake, and
 * its receipts are as long as real ones but say nothing.
 */
import { hash } from "node:crypto";
import SqliteFile from "better-sqlite3";
import { sql } from "kysely";
import { deriveArrivals, HOUR } from "../receiver/ledger/arrivals.ts";
import { type LedgerDatabase, writing } from "../receiver/ledger/database.ts";
import { deriveUsage } from "../receiver/ledger/derive.ts";
import type { EntryRow } from "../receiver/ledger/entry.ts";
import { openPostgres } from "../receiver/ledger/postgres.ts";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { type Plan, type PlannedFeed, planSite, randomOf, sendsAt } from "./console-plan.ts";

const DAYS = 90;
/** Entries of a group commit, at most. */
const COMMIT = 500;
const SEED = 7;

export interface Fill {
  readonly kind: "sqlite" | "postgres";
  /** Of a new ledger: a file, or a URL. */
  readonly address: string;
  readonly versions: number;
  /** ms since 1970, to which the 90 days lead. */
  readonly now: number;
  readonly progress?: (words: string) => void;
}

/** Makes the ledger, and leaves it closed. Gives the entries that it has. */
export async function fillLedger({
  kind,
  address,
  versions,
  now,
  progress = () => {},
}: Fill): Promise<number> {
  const database = await (kind === "sqlite" ? openSqlite(address) : openPostgres(address));
  try {
    const plan = planSite(Math.min(1000, Math.max(10, Math.round(versions / 500))), SEED);
    await putPeople(database, plan, now);
    const indexes = await dropIndexes(database, kind);
    progress(`${plan.feeds.length} feeds; entries`);
    const put = kind === "sqlite" ? intoSqlite(address) : intoPostgres(database);
    const { count, lastAt } = await putEntries(put, plan, { versions, now, progress });
    await put.end();
    if (kind === "sqlite")
      for (const pragma of ["cache_size = -1000000", "synchronous = off"])
        await sql.raw(`pragma ${pragma}`).execute(database.db);
    else
      await sql`set maintenance_work_mem = '1GB'; set synchronous_commit = off`
        .execute(database.db)
        .catch(() => {});
    for (const text of indexes) {
      progress(text);
      await unbounded(database, kind, text);
    }
    progress("heads");
    await unbounded(database, kind, kind === "sqlite" ? HEADS_SQLITE : HEADS_POSTGRES);
    progress("arrivals, usage");
    await writing(database.db, async (trx) => {
      if (kind === "postgres") await sql`set local statement_timeout = 0`.execute(trx);
      await deriveArrivals(trx);
      await deriveUsage(trx, new Date(now).toISOString().slice(0, 10));
      await trx.updateTable("site").set({ last_seq: count, last_commit_at: lastAt }).execute();
    });
    await unbounded(database, kind, kind === "sqlite" ? "pragma wal_checkpoint(truncate)" : "vacuum analyze");
    return count;
  } finally {
    await database.close();
  }
}

/** pg gives up on a statement after two minutes; here some take longer. */
async function unbounded(database: LedgerDatabase, kind: Fill["kind"], text: string): Promise<void> {
  const running = sql.raw(text).execute(database.db);
  if (kind === "sqlite") return void (await running);
  await running.catch(async (error: unknown) => {
    if (!/timeout/i.test(String(error))) throw error;
    for (;;) {
      const { rows } = await sql<{ n: number }>`
        select count(*) as n from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state = 'active'`.execute(
        database.db,
      );
      if (rows[0]?.n === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  });
}

const HEAD = "client, source, path_hash, seq, kind, version_id, size, sha256, bearer";
/** SQLite takes the other columns from the row that has the maximum. */
const HEADS_SQLITE = `insert into heads (${HEAD})
  select client, source, path_hash, max(seq), kind, version_id, size, sha256, bearer
  from entries group by client, source, path_hash`;
const HEADS_POSTGRES = `insert into heads (${HEAD})
  select distinct on (client, source, path_hash) ${HEAD}
  from entries order by client, source, path_hash, seq desc`;

async function putPeople({ db }: LedgerDatabase, plan: Plan, now: number): Promise<void> {
  const created_at = now - DAYS * 24 * HOUR;
  const portions = <T>(of: readonly T[]) =>
    Array.from({ length: Math.ceil(of.length / 500) }, (_, i) => of.slice(i * 500, (i + 1) * 500));
  await writing(db, async (trx) => {
    for (const some of portions(plan.clients))
      await trx
        .insertInto("clients")
        .values(some.map((name) => ({ name, created_at })))
        .execute();
    for (const some of portions(plan.agents)) {
      await trx
        .insertInto("agents")
        .values(
          some.map(({ id, name }) => ({
            ...{
              id,
              name,
              public_key: `key of ${id}`,
              state: "active" as const,
              created_at,
              host: `host-${name}`,
            },
            ...{ platform: "linux", version: "0.1.0", last_seen_at: now - 20_000 },
          })),
        )
        .execute();
      await trx
        .insertInto("agent_clients")
        .values(some.map(({ id, client }) => ({ agent_id: id, client })))
        .execute();
    }
    for (const some of portions(plan.keys))
      await trx
        .insertInto("api_keys")
        .values(
          some.map(({ id, client, name }) => ({
            ...{ id, client, name, secret_hash: `hash of ${id}`, scopes: '["write"]', created_at },
          })),
        )
        .execute();
    for (const some of portions(plan.accounts))
      await trx
        .insertInto("sftp_accounts")
        .values(
          some.map(({ id, client, name }) => ({
            ...{ id, client, user_name: name, default_source: "sftp", access: "write" as const },
            ...{ removals: "record" as const, history: 0 as const, receipts: 0 as const, created_at },
          })),
        )
        .execute();
  });
}

/** What can be made again when all is in, which takes a fraction of the time. Gives what makes them. */
async function dropIndexes({ db }: LedgerDatabase, kind: Fill["kind"]): Promise<readonly string[]> {
  const { rows } =
    kind === "sqlite"
      ? await sql<{ name: string; text: string }>`
          select name, sql as text from sqlite_master
          where type = 'index' and tbl_name = 'entries' and sql is not null`.execute(db)
      : await sql<{ name: string; text: string }>`
          select indexname as name, indexdef as text from pg_indexes
          where schemaname = current_schema() and tablename = 'entries' and indexname like 'entries\\_by\\_%'
            or indexname like 'entries\\_removals%'`.execute(db);
  for (const { name } of rows) await sql`drop index ${sql.ref(name)}`.execute(db);
  return rows.map(({ text }) => text);
}

interface Bulk {
  put(rows: readonly EntryRow[], segments: readonly Segment[]): Promise<void> | void;
  end(): Promise<void> | void;
}

type Segment = { readonly id: string; readonly date: string; readonly at: number };

const COLUMNS = [
  ...([
    "seq",
    "version_id",
    "kind",
    "client",
    "source",
    "path_encoded",
    "path_hash",
    "size",
    "sha256",
  ] as const),
  ...(["capture_id", "modified_at", "sealed_at", "received_at", "channel", "bearer", "lake_key"] as const),
  ...(["receipt", "segment_id"] as const),
] satisfies (keyof EntryRow)[];

function intoSqlite(file: string): Bulk {
  const db = new SqliteFile(file);
  for (const pragma of ["synchronous = off", "cache_size = -200000", "wal_autocheckpoint = 20000"])
    db.pragma(pragma);
  const entry = db.prepare(`insert into entries (${COLUMNS}) values (${COLUMNS.map(() => "?")})`);
  const segment = db.prepare("insert into segments values (?, ?, ?, ?)");
  return {
    put(rows, segments) {
      db.exec("begin immediate");
      for (const row of rows) entry.run(COLUMNS.map((column) => row[column]));
      for (const { id, date, at } of segments) segment.run(id, date, at, at);
      db.exec("commit");
    },
    end: () => void db.close(),
  };
}

function intoPostgres({ db }: LedgerDatabase): Bulk {
  return {
    async put(rows, segments) {
      for (let from = 0; from < rows.length; from += 5000)
        await sql`insert into entries (${sql.raw(COLUMNS.join(", "))})
          select ${sql.raw(COLUMNS.join(", "))}
          from json_populate_recordset(null::entries, ${JSON.stringify(rows.slice(from, from + 5000))}::json)`.execute(
          db,
        );
      const all = segments.map(({ id, date, at }) => ({ id, date, committed_at: at, written_at: at }));
      for (let from = 0; from < all.length; from += 1000)
        await db
          .insertInto("segments")
          .values(all.slice(from, from + 1000))
          .execute();
    },
    end: () => {},
  };
}

const FILLING = `eyJhbGciOiJFZERTQSJ9.${"QUJDRA".repeat(40)}`;

async function putEntries(
  bulk: Bulk,
  plan: Plan,
  { versions, now, progress }: { versions: number; now: number; progress: (words: string) => void },
): Promise<{ count: number; lastAt: number }> {
  const first = now - (now % HOUR) - DAYS * 24 * HOUR;
  const hours = Array.from({ length: DAYS * 24 }, (_, i) => first + i * HOUR);
  const scale = scaleOf(plan, hours, now, versions);
  const random = randomOf(SEED + 1);
  const numbers = randomOf(SEED + 2);
  const hex = (): string =>
    Math.floor(numbers() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  const idAt = (at: number): string => {
    const time = at.toString(16).padStart(12, "0");
    const [a, b] = [hex(), hex()];
    return `${time.slice(0, 8)}-${time.slice(8)}-7${a.slice(0, 3)}-8${a.slice(3, 6)}-${a.slice(6)}${b}${hex().slice(0, 2)}`;
  };
  const made = new Map<PlannedFeed, number>();
  let [rows, segments]: [EntryRow[], Segment[]] = [[], []];
  let [count, lastAt] = [0, 0];
  for (const hour of hours) {
    const sending: PlannedFeed[] = [];
    for (const feed of plan.feeds) {
      if (!sendsAt(feed, hour, now, random())) continue;
      const files = Math.max(1, Math.round(feed.weight * scale * (0.5 + random())));
      for (let i = 0; i < files; i += 1) sending.push(feed);
    }
    // Who sends at the same time is committed together.
    const step = Math.max(1, Math.floor(sending.length / COMMIT));
    const commits = Math.max(1, Math.ceil(sending.length / COMMIT));
    for (let c = 0; c < commits && sending.length > 0; c += 1) {
      const at = Math.max(lastAt + 1, hour + Math.floor((c * HOUR) / commits) + 1000);
      if (at >= now) break;
      const segment = idAt(at);
      const date = new Date(at).toISOString().slice(0, 10);
      segments.push({ id: segment, date, at });
      for (let i = c; i < sending.length; i += commits) {
        const feed = sending[i] as PlannedFeed;
        count += 1;
        rows.push(
          entryOf(feed, { seq: count, at, segment, date, version: idAt(at), capture: idAt(at - 3000) }),
        );
      }
      lastAt = at;
    }
    if (rows.length > 50_000 || hour === hours.at(-1)) {
      await bulk.put(rows, segments);
      progress(`${count} entries, to ${new Date(hour).toISOString()} (${step})`);
      [rows, segments] = [[], []];
    }
  }
  return { count, lastAt };

  function entryOf(
    feed: PlannedFeed,
    {
      seq,
      at,
      segment,
      date,
      version,
      capture,
    }: Record<"segment" | "date" | "version" | "capture", string> & {
      readonly seq: number;
      readonly at: number;
    },
  ): EntryRow {
    const n = (made.get(feed) ?? 0) + 1;
    made.set(feed, n);
    // Most files come again and again under their names, some come once.
    const again = numbers() < 0.7;
    const path = again
      ? `exports/${feed.source}-${String(n % 500).padStart(4, "0")}.csv`
      : `exports/${date.replaceAll("-", "/")}/${feed.source}-${n}.csv`;
    const { client, source, channel } = feed;
    const removed = again && numbers() < 0.03;
    const when = new Date(at - 5000).toISOString();
    return {
      ...{ seq, version_id: version, kind: removed ? "removal" : "version", client, source },
      ...{ path_encoded: path, path_hash: hash("sha256", path), capture_id: capture },
      size: removed ? null : Math.floor(200 * 10 ** (numbers() * 4)),
      sha256: removed ? null : numbers() < 0.001 ? hash("sha256", "") : hash("sha256", version),
      ...{ modified_at: when, sealed_at: when, received_at: at, channel, segment_id: segment },
      bearer: feed.bearers[n % feed.bearers.length] as string,
      lake_key: removed ? null : `raw/client=${client}/source=${source}/date=${date}/${version}/${path}`,
      receipt: `${FILLING}.${version}`,
    };
  }
}

/** By what a feed's weight is multiplied so that all of them come to so many. */
function scaleOf(plan: Plan, hours: readonly number[], now: number, versions: number): number {
  const random = randomOf(SEED + 1);
  const times = plan.feeds.map((feed) => {
    let active = 0;
    // Each seventh hour stands for its neighbours.
    for (let i = Math.floor(random() * 24); i < hours.length; i += 1)
      if (sendsAt(feed, hours[i] as number, now, 0.5)) active += 1;
    return active;
  });
  const total = (scale: number): number =>
    plan.feeds.reduce((sum, { weight }, i) => sum + (times[i] as number) * Math.max(1, weight * scale), 0);
  let [low, high] = [0, versions];
  for (let i = 0; i < 50; i += 1) {
    const middle = (low + high) / 2;
    if (total(middle) < versions) low = middle;
    else high = middle;
  }
  return high;
}

if (import.meta.main) {
  const [kind, address, versions = "10000000"] = process.argv.slice(2);
  if ((kind !== "sqlite" && kind !== "postgres") || address === undefined) {
    process.stderr.write("usage: node bench/console-data.ts sqlite FILE|postgres URL [VERSIONS]\n");
    process.exit(2);
  }
  const from = performance.now();
  const progress = (words: string): void =>
    void process.stderr.write(`${((performance.now() - from) / 1000).toFixed(0)} s: ${words}\n`);
  const count = await fillLedger({ kind, address, versions: Number(versions), now: Date.now(), progress });
  progress(`${count} entries are there`);
}
