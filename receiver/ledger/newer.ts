/**
 * What the sender of a held file told of its path since: released then, an older content would be the newest. Nothing
 * is newer that came into quarantine before it and was released since.
 */
import { sql } from "kysely";
import { chunks, rows } from "./chunks.ts";
import type { Database, Tables } from "./schema.ts";

export interface Newer {
  readonly kind: "version" | "removal";
  /** Null: it made no entry, since the newest version was the same already, or there was none. */
  readonly version_id: string | null;
}

/** Of a file in quarantine; undefined: nothing. */
export async function newerThan(db: Database, id: string): Promise<Newer | undefined> {
  const entry = await db
    .selectFrom("quarantined as q")
    .innerJoin("entries as e", (on) =>
      on
        .onRef("e.path_hash", "=", "q.path_hash")
        .onRef("e.client", "=", "q.client")
        .onRef("e.source", "=", "q.source")
        .onRef("e.seq", ">", "q.arrived_seq"),
    )
    .select(["e.kind", "e.version_id"])
    .where("q.id", "=", id)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("quarantined as r")
            .select(sql.lit(1).as("one"))
            .whereRef("r.id", "=", "e.version_id")
            .where(sql<boolean>`(r.arrived_at, r.id) < (q.arrived_at, q.id)`),
        ),
      ),
    )
    .orderBy("e.seq", "desc")
    .limit(1)
    .executeTakeFirst();
  if (entry !== undefined) return entry;
  const row = await db
    .selectFrom("quarantined")
    .select("later_state")
    .where("id", "=", id)
    .executeTakeFirst();
  const kind = row?.later_state ?? null;
  return kind === null ? undefined : { kind, version_id: null };
}

/** A capture that made no entry, of a path: `kind` is what it says that the path is now. */
export type Later = Pick<Tables["entries"], "client" | "source" | "path_hash" | "kind">;

/** For the commit that remembers them. Of each path at most one. */
export async function tellHeld(trx: Database, all: readonly Later[]): Promise<void> {
  if (all.length === 0) return;
  // Mostly nothing is held, and that is known far sooner.
  const any = trx.selectFrom("quarantined").select("id").where("state", "=", sql.lit("held")).limit(1);
  if ((await any.executeTakeFirst()) === undefined) return;
  for (const [kind, some] of Map.groupBy(all, (later) => later.kind))
    for (const chunk of chunks(some.map((later) => [later.client, later.source, later.path_hash])))
      await trx
        .updateTable("quarantined")
        .set({ later_state: kind })
        .where("state", "=", sql.lit("held"))
        .where(sql<boolean>`(client, source, path_hash) in (${rows(chunk)})`)
        .execute();
}
