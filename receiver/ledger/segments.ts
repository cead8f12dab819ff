/** What the manifest still has to write: segments whose objects are not known to be in the lake. */
import { chunks } from "./batch.ts";
import { type LedgerDatabase, named, writing } from "./database.ts";
import { type EntryRow, manifestLineOf } from "./entry.ts";
import type { Coverage, Segments } from "./ledger.ts";
import type { Database } from "./schema.ts";

/** Ids are UUIDv7: the highest is the newest, found through the primary key. */
export function createCoverage(db: Database): Coverage {
  return {
    async known(segmentIds) {
      const found = new Set<string>();
      for (const ids of chunks(segmentIds)) {
        const rows = await named(() =>
          db.selectFrom("segments").select("id").where("id", "in", ids).execute(),
        );
        for (const { id } of rows) found.add(id);
      }
      return found;
    },
    async newestDay() {
      const newest = await named(() =>
        db.selectFrom("segments").select("date").orderBy("id", "desc").limit(1).executeTakeFirst(),
      );
      return newest?.date;
    },
  };
}

export function createSegments({ db, clock }: Pick<LedgerDatabase, "db" | "clock">): Segments {
  return {
    async unwritten(olderThanMs) {
      let open = db
        .selectFrom("segments")
        .select(["id", "date"])
        .where("written_at", "is", null)
        .orderBy("committed_at")
        .orderBy("id");
      // With 0 the clock is not asked: after a jump back, commits may carry a time that is still to come.
      if (olderThanMs > 0)
        open = open.where("committed_at", "<=", (eb) => eb(clock, "-", eb.lit(Math.ceil(olderThanMs))));
      const segments = await named(() => open.execute());
      const rows = new Map<string, EntryRow[]>(segments.map(({ id }) => [id, []]));
      for (const ids of chunks([...rows.keys()])) {
        const some = await named(() =>
          db.selectFrom("entries").selectAll().where("segment_id", "in", ids).orderBy("seq").execute(),
        );
        for (const row of some) rows.get(row.segment_id)?.push(row);
      }
      return segments.map(({ id, date }) => ({
        id,
        date,
        lines: (rows.get(id) ?? []).map((row) => manifestLineOf(row)),
      }));
    },
    async markWritten(ids) {
      if (ids.length === 0) return;
      await writing(db, async (trx) => {
        for (const some of chunks(ids)) {
          await trx
            .updateTable("segments")
            .set({ written_at: clock })
            .where("id", "in", some)
            .where("written_at", "is", null)
            .execute();
        }
      });
    },
  };
}
