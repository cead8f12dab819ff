/** What one client brought, for its own page: by hour and source, straight from the counters. */
import { HOUR, sourcesOf, withArrivals } from "../ledger/arrivals.ts";
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
