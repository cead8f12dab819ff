/** How the ledger itself stands, for the metrics and diagnostics: a bounded look, however much it holds. */
import { sql } from "kysely";
import { named } from "./database.ts";
import type { Database } from "./schema.ts";

export interface ManifestStanding {
  /** Segments that are committed and not in the lake; counted up to 10,000. */
  readonly unwritten: number;
  /** When the first of them was committed, ms since 1970. */
  readonly oldestAt: number | undefined;
  /** 0: there was no commit yet. */
  readonly lastCommitAt: number;
}

const MOST_UNWRITTEN = 10_000;

export async function manifestStanding(db: Database): Promise<ManifestStanding> {
  const some = db
    .selectFrom("segments")
    .select("committed_at")
    .where("written_at", "is", null)
    .orderBy("committed_at")
    .limit(MOST_UNWRITTEN);
  const row = await named(() =>
    db
      .selectFrom(some.as("some"))
      .select((eb) => [
        eb.fn.countAll<number>().as("unwritten"),
        eb.fn.min("committed_at").as("oldest"),
        sql<number>`(select last_commit_at from site where id = 1)`.as("last"),
      ])
      .executeTakeFirstOrThrow(),
  );
  return {
    unwritten: Number(row.unwritten),
    oldestAt: row.oldest === null ? undefined : Number(row.oldest),
    lastCommitAt: row.last,
  };
}
