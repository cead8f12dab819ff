/** What one client brought, for its own page: by hour and source, straight from the counters. */
import { sql } from "kysely";
import { HOUR, withArrivals } from "../ledger/arrivals.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";

export interface SourceHour {
  readonly source: string;
  /** ms since 1970 of its begin. */
  readonly hour: number;
  readonly channel: string;
  readonly files: number;
  readonly bytes: number;
  readonly removals: number;
}

const DAYS = 30;

/** The last 30 days, each hour with arrivals, in the order of sources and hours; of one source, or of all of the client's. */
export async function clientHours(
  db: Database,
  client: string,
  now: number,
  source?: string,
): Promise<readonly SourceHour[]> {
  const from = now - (now % HOUR) - DAYS * 24 * HOUR;
  const sources = source === undefined ? await sourcesOf(db, client) : [source];
  const answers = await Promise.all(
    sources.map((one) =>
      named(() =>
        withArrivals(db)
          .selectFrom("arrivals")
          .select(["source", "hour", "channel", "files", "bytes", "removals"])
          .where("client", "=", client)
          .where("source", "=", one)
          .where("hour", ">=", from)
          .orderBy("hour")
          .execute(),
      ),
    ),
  );
  return answers.flat();
}

/** From one source to the next through the index, however many hours each has. */
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
