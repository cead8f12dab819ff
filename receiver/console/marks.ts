/** What open pages are told of besides arrivals: a mark of each thing that others may change. */
import { sql } from "kysely";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import type { Marks } from "./live.ts";

/** Each is one look at the end of an index, or at few rows. */
export async function marksOf(db: Database): Promise<Marks> {
  const { rows } = await named(() =>
    sql<Record<string, string | number | null>>`
      select
        (select max(last_seen_at) from agents) as seen,
        (select count(*) from agents) as agents,
        (select max(id) from audit) as audit,
        (select max(id) from quarantined) as quarantined,
        (select count(*) from quarantined where state = 'held') as held,
        (select max(last_at) from refusals) as refused,
        (select count(failing_since) from webhooks) as failing,
        (select count(gone_at) from webhooks) as gone,
        (select count(*) from webhook_events where due_at is null) as dead`.execute(db),
  );
  const { seen, agents, audit, quarantined, held, refused, failing, gone, dead } = rows[0] ?? {};
  return {
    agents: `${seen} ${agents}`,
    audit: String(audit),
    // One that came and one that left at once are two changes.
    quarantine: `${quarantined} ${held}`,
    refusals: String(refused),
    webhooks: `${failing} ${gone}`,
    deadletters: String(dead),
  };
}
