/** What was begun to be fetched, in the queue's file: it ends with the same commit that stores the version. */
import type { Fetch, Fetches } from "../seal/fetches.ts";
import { diskFull, type QueueFile } from "./database.ts";
import { type StateRow, toColumns, toState } from "./rows.ts";

type Row = StateRow & { readonly path: Buffer; readonly spooled: string; readonly bytes: bigint };

const COLUMNS = "path, size, mtime_ns, ctime_ns, file_id, spooled, bytes";

export function sqliteFetches(db: QueueFile, sourceId: number): Fetches {
  const one = db
    .prepare<[Buffer], Row>(`SELECT ${COLUMNS} FROM fetches WHERE source_id = ${sourceId} AND path = ?`)
    .safeIntegers(true);
  const all = db
    .prepare<[], Row>(`SELECT ${COLUMNS} FROM fetches WHERE source_id = ${sourceId} ORDER BY path`)
    .safeIntegers(true);
  const put = db.prepare(
    `INSERT OR REPLACE INTO fetches (source_id, ${COLUMNS}) VALUES (${sourceId}, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const forget = db.prepare(`DELETE FROM fetches WHERE source_id = ${sourceId} AND path = ?`);
  return {
    get: (path) => {
      const row = one.get(path);
      return row && toFetch(row);
    },
    all: () => all.all().map(toFetch),
    put: ({ path, state, spooled, bytes }) =>
      void diskFull(() => put.run(path, ...toColumns(state), spooled, bytes)),
    forget: (path) => void diskFull(() => forget.run(path)),
  };
}

function toFetch(row: Row): Fetch {
  return { path: row.path, state: toState(row), spooled: row.spooled, bytes: Number(row.bytes) };
}
