/** An operator discards what is held: the row says so for ever, and its bytes count no more. They may go then, and not before. */
import { sql } from "kysely";
import { committing, type LedgerDatabase } from "./database.ts";

/** Who discards a file, and why: its sender is told. */
export interface Discard {
  readonly by: string;
  readonly reason: string;
}

/** False when it is not held (any more): nothing has changed then. */
export async function discardHeld(
  database: Pick<LedgerDatabase, "db" | "clock">,
  id: string,
  { by, reason }: Discard,
): Promise<boolean> {
  return await committing(database, async (trx, { now }) => {
    const held = await trx
      .updateTable("quarantined")
      .set({ state: "discarded", discarded_at: now, discarded_by: by, reason })
      .where("id", "=", id)
      .where("state", "=", sql.lit("held"))
      .returning(["client", "size"])
      .executeTakeFirst();
    if (held === undefined) return false;
    await trx
      .updateTable("usage")
      .set((eb) => ({ stored_bytes: eb("stored_bytes", "-", held.size) }))
      .where("client", "=", held.client)
      .execute();
    await trx.updateTable("site").set({ last_commit_at: now }).where("id", "=", 1).execute();
    return true;
  });
}
