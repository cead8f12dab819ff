/** Which lake a ledger belongs to: an id that was found in, or put into, the lake's own claim at the first use. */
import { named, writing } from "./database.ts";
import type { Database } from "./schema.ts";

export interface KnownLake {
  readonly lake: string | undefined;
  /** The ledger has entries, so that there must be a lake already. */
  readonly begun: boolean;
}

/**
 * Opens the lake with what the ledger knows of it. At the first use that is inside one transaction, under the site's
 * row: two processes that start together do not make two lakes, and a crash leaves a lake that is taken up again.
 */
export async function openLakeOf<L extends { readonly id: string }>(
  db: Database,
  open: (known: KnownLake) => Promise<L>,
): Promise<L> {
  const site = await named(() =>
    db.selectFrom("site").select("lake").where("id", "=", 1).executeTakeFirstOrThrow(),
  );
  if (site.lake !== null) return await open({ lake: site.lake, begun: true });
  return await writing(db, async (trx) => {
    const locked = await trx
      .updateTable("site")
      .set((eb) => ({ epoch: eb.ref("epoch") }))
      .where("id", "=", 1)
      .returning(["lake", "last_seq"])
      .executeTakeFirstOrThrow();
    const lake = await open({ lake: locked.lake ?? undefined, begun: locked.last_seq > 0 });
    await trx.updateTable("site").set({ lake: lake.id }).where("id", "=", 1).execute();
    return lake;
  });
}
