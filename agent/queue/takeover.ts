/**
 * The queue's side of taking over a source that another agent polled: which parcels of an earlier term still wait, and
 * what the receiver holds by now as what was seen. In steps of at most STEP rows, so that memory does not grow with the source.
 */
import { join } from "../source/bytes.ts";
import { diskFull, type QueueFile } from "./database.ts";
import { ENDED, type Learned, type Takeover } from "./queue.ts";
import { type ParcelRow, split, toColumns, toParcel } from "./rows.ts";

const STEP = 1000;

interface Row {
  readonly folder: number;
  /** The folder's path. */
  readonly at: Buffer;
  readonly name: Buffer;
}

function statements(db: QueueFile, sourceId: number) {
  const parcel = `EXISTS (SELECT 1 FROM parcels WHERE source_id = ${sourceId} AND path = +@path)`;
  const row = "folder_id = +@folder AND name = +@name";
  return {
    waiting: db
      .prepare<{ path: Buffer; seq: number; limit: number }, ParcelRow & { seq: bigint }>(
        `SELECT p.seq, p.capture_id, p.kind, q.client, q.name AS source, p.path, p.sealed_at, p.size, p.mtime_ns,
           p.ctime_ns, p.file_id, p.sha256, p.part_digests, p.spooled, p.attempts
         FROM parcels p JOIN sources q ON q.id = p.source_id
         WHERE p.source_id = ${sourceId} AND (p.path, p.seq) > (+@path, +@seq) AND p.aside_at IS NULL
         ORDER BY p.path, p.seq LIMIT @limit`,
      )
      .safeIntegers(true),
    anyParcel: db.prepare<{ path: Buffer }, number>(`SELECT ${parcel}`).pluck(),
    folderId: db
      .prepare<[Buffer], number>(`SELECT id FROM folders WHERE source_id = ${sourceId} AND path = ?`)
      .pluck(),
    newFolder: db
      .prepare<[Buffer], number>(`INSERT INTO folders (source_id, path) VALUES (${sourceId}, ?) RETURNING id`)
      .pluck(),
    keep: db.prepare(`UPDATE seen SET learned = @term WHERE ${row}`),
    // Its own look says more than the receiver's entry, where both are of the same bytes.
    learn: db.prepare(
      `INSERT INTO seen (folder_id, name, size, mtime_ns, ctime_ns, file_id, sha256, sealed_at, missed, delivered, learned)
       VALUES (@folder, @name, @size, @mtime, @ctime, @fileId, @sha256, @sealedAt, 0, 2, @term)
       ON CONFLICT (folder_id, name) DO UPDATE SET
         size = CASE WHEN sha256 = excluded.sha256 THEN size ELSE excluded.size END,
         mtime_ns = CASE WHEN sha256 = excluded.sha256 THEN mtime_ns ELSE excluded.mtime_ns END,
         ctime_ns = CASE WHEN sha256 = excluded.sha256 THEN ctime_ns ELSE excluded.ctime_ns END,
         file_id = CASE WHEN sha256 = excluded.sha256 THEN file_id ELSE excluded.file_id END,
         sealed_at = CASE WHEN sha256 = excluded.sha256 THEN sealed_at ELSE excluded.sealed_at END,
         sha256 = excluded.sha256, missed = 0, delivered = 2, learned = excluded.learned`,
    ),
    // An end that was seen here stays as it was: its own id says more.
    learnEnd: db.prepare(
      `INSERT INTO seen (folder_id, name, size, mtime_ns, ctime_ns, sha256, sealed_at, missed, delivered, learned)
       VALUES (@folder, @name, 0, @ended, 0, zeroblob(32), @sealedAt, ${ENDED}, 2, @term)
       ON CONFLICT (folder_id, name) DO UPDATE SET
         size = CASE WHEN missed = ${ENDED} THEN size ELSE 0 END,
         mtime_ns = CASE WHEN missed = ${ENDED} THEN mtime_ns ELSE excluded.mtime_ns END,
         file_id = CASE WHEN missed = ${ENDED} THEN file_id END,
         missed = ${ENDED}, delivered = 2, learned = excluded.learned`,
    ),
    forget: db.prepare(`DELETE FROM seen WHERE ${row}`),
    dropFolder: db.prepare(
      "DELETE FROM folders WHERE id = ? AND NOT EXISTS (SELECT 1 FROM seen WHERE folder_id = folders.id)",
    ),
    folders: db.prepare<[number], { id: number; path: Buffer }>(
      `SELECT id, path FROM folders WHERE source_id = ${sourceId} AND id > +? ORDER BY id LIMIT ${STEP}`,
    ),
    names: db.prepare<[number, Buffer], { name: Buffer; learned: number }>(
      `SELECT name, learned FROM seen WHERE folder_id = +? AND name > +? ORDER BY name LIMIT ${STEP}`,
    ),
  };
}

export function sqliteTakeover(db: QueueFile, sourceId: number): Takeover {
  const sql = statements(db, sourceId);

  function learnOne(term: number, what: Learned): void {
    const { path } = what;
    const { folder, name } = split(path);
    const id = sql.folderId.get(folder);
    // What was sealed here and has not left stands above what the receiver holds: the file is compared with that.
    if (what.kind === "unknown" || sql.anyParcel.get({ path }) === 1) {
      if (id !== undefined) sql.keep.run({ term, folder: id, name });
      return;
    }
    if (what.kind === "removal" && what.endedNs !== undefined) {
      const ended = BigInt.asIntN(64, what.endedNs);
      const sealedAt = Number(what.endedNs / 1_000_000n);
      sql.learnEnd.run({ folder: id ?? sql.newFolder.get(folder), name, term, ended, sealedAt });
      return;
    }
    if (what.kind === "removal") {
      if (id === undefined) return;
      sql.forget.run({ folder: id, name });
      sql.dropFolder.run(id);
      return;
    }
    const [size, mtime, ctime, fileId] = toColumns(what.state);
    sql.learn.run({
      ...{ folder: id ?? sql.newFolder.get(folder), name, term, size, mtime, ctime, fileId },
      sha256: Buffer.from(what.sha256, "hex"),
      sealedAt: what.sealedAt,
    });
  }

  const learnAll = db.transaction((term: number, all: readonly Learned[]) => {
    for (const one of all) learnOne(term, one);
  });
  const forgetAll = db.transaction((rows: readonly Row[]) => {
    for (const { folder, at, name } of rows) {
      if (sql.anyParcel.get({ path: join(at, name) }) === 1) continue;
      sql.forget.run({ folder, name });
      sql.dropFolder.run(folder);
    }
  });

  return {
    *waiting() {
      let path: Buffer = Buffer.alloc(0);
      for (let seq = 0; ; ) {
        const page = sql.waiting.all({ path, seq, limit: STEP });
        for (const row of page) yield toParcel(row);
        const last = page.at(-1);
        if (last === undefined || page.length < STEP) return;
        [path, seq] = [last.path, Number(last.seq)];
      }
    },
    learn(term, all) {
      for (let from = 0; from < all.length; from += STEP)
        diskFull(() => learnAll.immediate(term, all.slice(from, from + STEP)));
    },
    *forgetOthers(term) {
      let others: Row[] = [];
      let looked = 0;
      const forget = (): void => {
        if (others.length > 0) diskFull(() => forgetAll.immediate(others));
        others = [];
      };
      for (let after = 0; ; ) {
        const folders = sql.folders.all(after);
        for (const { id, path } of folders) {
          for (let name: Buffer = Buffer.alloc(0); ; ) {
            const page = sql.names.all(id, name);
            for (const row of page)
              if (row.learned !== term) others.push({ folder: id, at: path, name: row.name });
            if (others.length >= STEP) forget();
            looked += page.length;
            yield looked;
            if (page.length < STEP) break;
            name = (page.at(-1) as { name: Buffer }).name;
          }
        }
        if (folders.length < STEP) break;
        after = (folders.at(-1) as { id: number }).id;
      }
      forget();
    },
  };
}
