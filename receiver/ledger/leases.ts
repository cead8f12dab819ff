/**
 * Leases as the commit sees them: who holds a source. They change hands under the site lock only (`fleet/leases.ts`), as
 * entries are made under it, so that whoever has taken one over sees all that came under the term before, and nothing more comes.
 */
import { sql } from "kysely";
import { chunks, rows } from "./chunks.ts";
import type { Capture, Holding } from "./ledger.ts";
import type { Database, Tables } from "./schema.ts";

export type LeaseRow = Tables["leases"];

export function leaseRef({ client, source }: Pick<LeaseRow, "client" | "source">): string {
  return `${client}\u0000${source}`;
}

/** Of the sources of those captures that come under a lease, by `leaseRef`. */
export async function leasesOf(
  db: Database,
  captures: readonly Capture[],
): Promise<ReadonlyMap<string, LeaseRow>> {
  const places = new Map<string, readonly string[]>();
  for (const capture of captures)
    if (capture.lease !== undefined) places.set(leaseRef(capture), [capture.client, capture.source]);
  const found = new Map<string, LeaseRow>();
  for (const some of chunks([...places.values()])) {
    const leases = await db
      .selectFrom("leases")
      .selectAll()
      .where(sql<boolean>`(client, source) in (${rows(some)})`)
      .execute();
    for (const lease of leases) found.set(leaseRef(lease), lease);
  }
  return found;
}

/** One that has run out is good while nobody has taken it: the term tells, not the time. */
export function isHeld(
  lease: LeaseRow | undefined,
  { agentId, term }: Pick<Holding, "agentId" | "term">,
): boolean {
  return lease !== undefined && lease.agent_id === agentId && lease.term === term;
}

export async function holds(db: Database, holding: Holding): Promise<boolean> {
  const lease = await db
    .selectFrom("leases")
    .selectAll()
    .where("client", "=", holding.client)
    .where("source", "=", holding.source)
    .executeTakeFirst();
  return isHeld(lease, holding);
}

/** One wording for the commit and the doors. */
export function lostLease({ client, source }: Pick<Holding, "client" | "source">): string {
  return `another agent may hold the lease of the source "${source}" of the client "${client}" by now; nothing was recorded: ask for the lease again`;
}
