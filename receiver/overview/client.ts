/** What one client brought, for its own page: by hour and channel, straight from the counters. */
import { sql } from "kysely";
import { HOUR, sourcesOf } from "../ledger/arrivals.ts";
import { chunks } from "../ledger/chunks.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import type { Amount } from "./overview.ts";

export interface ClientHour {
  /** ms since 1970 of its begin. */
  readonly hour: number;
  readonly channels: Readonly<Record<string, Amount>>;
}

const WEEK_HOURS = 7 * 24;
/** Of one statement: the index leads from source to source. */
const SOURCES = 100;

/** Every hour of the last 7 days, this one last; all sources together, however many there are. */
export async function clientWeek(db: Database, client: string, now: number): Promise<readonly ClientHour[]> {
  const last = now - (now % HOUR);
  const from = last - (WEEK_HOURS - 1) * HOUR;
  const hours = new Map<number, Record<string, Amount>>();
  for (const sources of chunks(await sourcesOf(db, client), SOURCES))
    for (const { hour, channel, files, bytes } of await sumsOf(db, client, sources, from)) {
      const channels = hours.get(hour) ?? {};
      const before = channels[channel] ?? { files: 0, bytes: 0 };
      channels[channel] = { files: before.files + files, bytes: before.bytes + bytes };
      hours.set(hour, channels);
    }
  return Array.from({ length: WEEK_HOURS }, (_, i) => {
    const hour = from + i * HOUR;
    return { hour, channels: hours.get(hour) ?? {} };
  });
}

async function sumsOf(db: Database, client: string, sources: readonly string[], from: number) {
  const { rows } = await named(() =>
    sql<Amount & { hour: number; channel: string }>`
      select hour, channel, cast(sum(files) as bigint) as files, cast(sum(bytes) as bigint) as bytes
      from arrivals where client = ${client} and source in (${sql.join(sources)}) and hour >= ${from}
      group by hour, channel`.execute(db),
  );
  return rows;
}
