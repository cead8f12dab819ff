/**
 * How much arrived, by hour, counted in the commit that brings it: what overviews read instead of entries. For each
 * (hour, client, source, channel) the row says what the entries of that hour sum up to, always, because both are written
 * in one transaction and both are never written otherwise but when the ledger is derived anew.
 */
import { type Kysely, sql } from "kysely";
import { chunks } from "./chunks.ts";
import { named, type Writer } from "./database.ts";
import type { EntryRow } from "./entry.ts";
import type { Database, Tables } from "./schema.ts";

export const HOUR = 3_600_000;

export interface ArrivalsRow {
  /** ms since 1970 of the begin of a UTC hour. */
  hour: number;
  client: string;
  source: string;
  channel: string;
  /** Versions, and their sizes. */
  files: number;
  bytes: number;
  removals: number;
  /** ms since 1970 of the newest version; null where there are removals alone. */
  last_at: number | null;
}

export type ArrivalsTables = { arrivals: ArrivalsRow };

/** The ledger's database, or a transaction on it, with the counters: a backup has no part in them. */
export function withArrivals(db: Kysely<Tables>): Kysely<Tables & ArrivalsTables> {
  return db.withTables<ArrivalsTables>();
}

type Counted = Pick<EntryRow, "kind" | "client" | "source" | "channel" | "size" | "received_at">;

/** What these entries add, one row for each hour, client, source and channel among them. */
export function arrivalsOf(entries: readonly Counted[]): ArrivalsRow[] {
  const rows = new Map<string, ArrivalsRow>();
  for (const { kind, client, source, channel, size, received_at } of entries) {
    const hour = received_at - (received_at % HOUR);
    const key = `${hour} ${client} ${source} ${channel}`;
    const row = rows.get(key) ?? {
      ...{ hour, client, source, channel, files: 0, bytes: 0, removals: 0, last_at: null },
    };
    const version = kind === "version";
    rows.set(key, {
      ...row,
      files: row.files + (version ? 1 : 0),
      bytes: row.bytes + (size ?? 0),
      removals: row.removals + (version ? 0 : 1),
      last_at: version ? Math.max(row.last_at ?? 0, received_at) : row.last_at,
    });
  }
  return [...rows.values()];
}

/** For the commit that writes these entries. One statement: a commit is waited for by all others. */
export async function countArrivals(trx: Writer, entries: readonly Counted[]): Promise<void> {
  for (const some of chunks(arrivalsOf(entries)))
    await withArrivals(trx)
      .insertInto("arrivals")
      .values(some)
      .onConflict((oc) =>
        oc.columns(["hour", "client", "source", "channel"]).doUpdateSet((eb) => ({
          files: eb("arrivals.files", "+", eb.ref("excluded.files")),
          bytes: eb("arrivals.bytes", "+", eb.ref("excluded.bytes")),
          removals: eb("arrivals.removals", "+", eb.ref("excluded.removals")),
          // The time of commits only grows.
          last_at: eb.fn.coalesce("excluded.last_at", "arrivals.last_at"),
        })),
      )
      .execute();
}

/** For who has put entries there in another way: reads all of them. */
export async function deriveArrivals(trx: Writer): Promise<void> {
  await withArrivals(trx).deleteFrom("arrivals").execute();
  await sql`
    insert into arrivals (hour, client, source, channel, files, bytes, removals, last_at)
    select received_at - received_at % ${sql.lit(HOUR)} as hour, client, source, channel,
      sum(case when kind = 'version' then 1 else 0 end), sum(coalesce(size, 0)),
      sum(case when kind = 'removal' then 1 else 0 end), max(case when kind = 'version' then received_at end)
    from entries group by hour, client, source, channel`.execute(trx);
}

/** What a client ever had arrivals from. From one source to the next through the index, however many hours each has. */
export async function sourcesOf(db: Database, client: string): Promise<readonly string[]> {
  const { rows } = await named(() =>
    sql<{ source: string }>`
      with recursive s(source) as (
        select (select min(source) from arrivals where client = ${client})
        union all
        select (select min(a.source) from arrivals as a where a.client = ${client} and a.source > s.source)
        from s where s.source is not null
      )
      select source from s where source is not null`.execute(db),
  );
  return rows.map(({ source }) => source);
}
