/** Through which doors some entries came, for lists that know no more of them than their seq. */
import { chunks } from "../ledger/chunks.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";

export interface Came {
  readonly versionId: string;
  readonly channel: string;
}

/** By seq. Each is one look at the table's own key. */
export async function cameOf(db: Database, seqs: readonly number[]): Promise<ReadonlyMap<number, Came>> {
  const came = new Map<number, Came>();
  for (const some of chunks(seqs)) {
    const query = db.selectFrom("entries").select(["seq", "version_id", "channel"]).where("seq", "in", some);
    for (const { seq, version_id: versionId, channel } of await named(() => query.execute()))
      came.set(seq, { versionId, channel });
  }
  return came;
}
