/** What the manifest still has to write: segments whose objects are not known to be in the lake. */
import type { Selectable } from "kysely";
import { chunks } from "./chunks.ts";
import { type LedgerDatabase, named, writing } from "./database.ts";
import { manifestLineOf } from "./entry.ts";
import type { Coverage, Segment, Segments } from "./ledger.ts";
import type { Database, Tables } from "./schema.ts";

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

/** Rows of segments only; their entries are read one segment at a time. */
const PAGE = 500;

export function createSegments({ db, clock }: Pick<LedgerDatabase, "db" | "clock">, page = PAGE): Segments {
  type Row = Pick<Selectable<Tables["segments"]>, "id" | "date" | "committed_at">;

  const open = db
    .selectFrom("segments")
    .select(["id", "date", "committed_at"])
    .where("written_at", "is", null);

  const withLines = async ({ id, date }: Row): Promise<Segment> => {
    const rows = await named(() =>
      db.selectFrom("entries").selectAll().where("segment_id", "=", id).orderBy("seq").execute(),
    );
    return { id, date, lines: rows.map((row) => manifestLineOf(row)) };
  };

  const pageAfter = async (last: Row | undefined, olderThanMs: number): Promise<Row[]> => {
    let some = open.orderBy("committed_at").orderBy("id").limit(page);
    // With 0 the clock is not asked: after a jump back, commits may carry a time that is still to come.
    if (olderThanMs > 0)
      some = some.where("committed_at", "<=", (eb) => eb(clock, "-", eb.lit(Math.ceil(olderThanMs))));
    if (last !== undefined)
      some = some.where(({ eb, refTuple, tuple }) =>
        eb(refTuple("committed_at", "id"), ">", tuple(last.committed_at, last.id)),
      );
    return await named(() => some.execute());
  };

  return {
    async *unwritten(olderThanMs) {
      for (let last: Row | undefined; ; ) {
        const rows = await pageAfter(last, olderThanMs);
        for (const row of rows) yield await withLines(row);
        last = rows.at(-1);
        if (last === undefined || rows.length < page) return;
      }
    },
    async read(id) {
      const row = await named(() => open.where("id", "=", id).executeTakeFirst());
      return row && (await withLines(row));
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
