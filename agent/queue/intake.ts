/** Capture's side of the queue for one source: what was seen, and what is sealed, stored together. */

import { join } from "../source/bytes.ts";
import { diskFull, type QueueFile } from "./database.ts";
import {
  ENDED,
  type Intake,
  type Parcel,
  type Sealing,
  type Seen,
  type Standing,
  type VersionParcel,
} from "./queue.ts";
import { below, type SeenRow, split, toColumns, toSeen } from "./rows.ts";

const SEEN = "s.name, s.size, s.mtime_ns, s.ctime_ns, s.file_id, s.sha256, s.sealed_at, s.missed";
/** Folders and their files are read in pages: an open cursor would lock out every write of this connection. */
const PAGE = 500;

function statements(db: QueueFile, sourceId: number) {
  const ofFolder = `(SELECT id FROM folders WHERE source_id = ${sourceId} AND path = ?)`;
  return {
    seenIn: db
      .prepare<[Buffer, Buffer], SeenRow>(
        `SELECT ${SEEN} FROM seen s WHERE s.folder_id = ${ofFolder} AND s.name > +? ORDER BY s.name LIMIT ${PAGE}`,
      )
      .safeIntegers(true),
    seen: db
      .prepare<[Buffer, Buffer], SeenRow>(
        `SELECT ${SEEN} FROM seen s WHERE s.folder_id = ${ofFolder} AND s.name = ?`,
      )
      .safeIntegers(true),
    nextFolder: db
      .prepare<[Buffer, Buffer], Buffer>(
        `SELECT path FROM folders WHERE source_id = ${sourceId} AND path >= +? AND path < +? ORDER BY path LIMIT 1`,
      )
      .pluck(),
    folders: db
      .prepare<[Buffer, Buffer], Buffer>(
        `SELECT path FROM folders WHERE source_id = ${sourceId} AND path > +? AND path < +? ORDER BY path LIMIT ${PAGE}`,
      )
      .pluck(),
    folderId: db
      .prepare<[Buffer], number>(`SELECT id FROM folders WHERE source_id = ${sourceId} AND path = ?`)
      .pluck(),
    newFolder: db
      .prepare<[Buffer], number>(`INSERT INTO folders (source_id, path) VALUES (${sourceId}, ?) RETURNING id`)
      .pluck(),
    remember: db.prepare(
      `INSERT INTO seen (folder_id, name, size, mtime_ns, ctime_ns, file_id, sha256, sealed_at, missed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (folder_id, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
         ctime_ns = excluded.ctime_ns, file_id = excluded.file_id, sealed_at = excluded.sealed_at,
         missed = excluded.missed, sha256 = excluded.sha256,
         delivered = CASE WHEN sha256 = excluded.sha256 THEN delivered ELSE MIN(delivered, 1) END`,
    ),
    // Never a new row: without one, or with another digest, the bytes are not in the queue, and are to be sealed.
    touch: db.prepare(
      `UPDATE seen SET size = ?, mtime_ns = ?, ctime_ns = ?, file_id = ?, sealed_at = ?, missed = 0
       WHERE folder_id = ${ofFolder} AND name = ? AND sha256 = ?`,
    ),
    // What was at its end by the time that a look is over stays so.
    missed: db.prepare(
      `UPDATE seen SET missed = ? WHERE folder_id = ${ofFolder} AND name = ? AND missed <> ${ENDED}`,
    ),
    forget: db.prepare(`DELETE FROM seen WHERE folder_id = ${ofFolder} AND name = ?`),
    dropFolder: db.prepare(
      `DELETE FROM folders WHERE source_id = ${sourceId} AND path = ?
       AND NOT EXISTS (SELECT 1 FROM seen WHERE folder_id = folders.id)`,
    ),
    delivered: db
      .prepare<[Buffer, Buffer], number>(
        `SELECT delivered FROM seen WHERE folder_id = ${ofFolder} AND name = ?`,
      )
      .pluck(),
    deliveredOfSize: db.prepare<[string, string, number], { path: Buffer; sha256: Buffer }>(
      "SELECT path, sha256 FROM deliveries WHERE client = ? AND source = ? AND kind = 'version' AND size = ?",
    ),
    youngest: db.prepare<[Buffer], { kind: string; spooled: string | null }>(
      `SELECT kind, spooled FROM parcels WHERE source_id = ${sourceId} AND path = +? AND aside_at IS NULL
       ORDER BY seq DESC LIMIT 1`,
    ),
    fetched: db.prepare(`DELETE FROM fetches WHERE source_id = ${sourceId} AND path = ?`),
    parcel: db.prepare(
      `INSERT INTO parcels (capture_id, kind, source_id, path, sealed_at, size, mtime_ns, ctime_ns, file_id, sha256, part_digests, spooled, head)
       VALUES (@captureId, @kind, ${sourceId}, @path, @sealedAt, @size, @mtime, @ctime, @fileId, @sha256, @partDigests, @spooled,
         NOT EXISTS (SELECT 1 FROM parcels WHERE source_id = ${sourceId} AND path = @path AND aside_at IS NULL))`,
    ),
  };
}

/** `putDone` tells the courier that something waits. */
export function sqliteIntake(
  db: QueueFile,
  names: { readonly client: string; readonly source: string; readonly id: number },
  putDone: () => void,
): Intake {
  const sql = statements(db, names.id);

  function folderId(path: Buffer): number {
    return sql.folderId.get(path) ?? (sql.newFolder.get(path) as number);
  }

  function remember(seen: Seen): void {
    const { folder, name } = split(seen.path);
    sql.remember.run(
      folderId(folder),
      name,
      ...toColumns(seen.state),
      Buffer.from(seen.sha256, "hex"),
      seen.sealedAt,
      seen.missed,
    );
  }

  function forget(path: Buffer): void {
    const { folder, name } = split(path);
    sql.forget.run(folder, name);
    sql.dropFolder.run(folder);
  }

  function touch(seen: Seen): void {
    const { folder, name } = split(seen.path);
    sql.touch.run(...toColumns(seen.state), seen.sealedAt, folder, name, Buffer.from(seen.sha256, "hex"));
  }

  function isMissed(path: Buffer): boolean {
    const { folder, name } = split(path);
    return (sql.seen.get(folder, name)?.missed ?? 0n) > 0n;
  }

  function insert(sealing: Sealing): void {
    const { parcel, seen } = sealing;
    if ("ended" in sealing) {
      if (parcel !== undefined) insertParcel(parcel);
      remember(sealing.seen);
      return;
    }
    if (parcel === undefined) {
      touch(seen);
      return;
    }
    // It came back, and was sealed again, after its removal was decided.
    if (parcel.kind === "removal" && !isMissed(parcel.path)) return;
    insertParcel(parcel);
    if (seen !== undefined) remember(seen);
    else forget(parcel.path);
  }

  function insertParcel(parcel: Parcel): void {
    if (parcel.client !== names.client || parcel.source !== names.source)
      throw new Error(
        `a parcel of ${parcel.client}/${parcel.source} was given to ${names.client}/${names.source}`,
      );
    const version: VersionParcel | undefined = parcel.kind === "version" ? parcel : undefined;
    const ended = parcel.kind === "removal" ? (parcel.endedNs ?? null) : null;
    const [size, mtime, ctime, fileId] = version ? toColumns(version.state) : [null, ended, null, null];
    sql.parcel.run({
      captureId: parcel.captureId,
      kind: parcel.kind,
      path: parcel.path,
      sealedAt: parcel.sealedAt,
      size,
      mtime,
      ctime,
      fileId,
      sha256: version ? Buffer.from(version.sha256, "hex") : null,
      partDigests: version?.partDigests ?? null,
      spooled: version?.spooled ?? null,
    });
    sql.fetched.run(parcel.path);
  }

  const putAll = db.transaction((sealings: readonly Sealing[]) => sealings.forEach(insert));
  const missAll = db.transaction((paths: readonly Buffer[], missed: number) => {
    for (const path of paths) {
      const { folder, name } = split(path);
      sql.missed.run(missed, folder, name);
    }
  });
  const forgetOne = db.transaction(forget);

  return {
    client: names.client,
    source: names.source,
    *seenIn(folder) {
      for (let after: Buffer = Buffer.alloc(0); ; ) {
        const page = sql.seenIn.all(folder, after);
        for (const row of page) yield toSeen(folder, row);
        if (page.length < PAGE) return;
        after = (page.at(-1) as SeenRow).name;
      }
    },
    seen(path) {
      const { folder, name } = split(path);
      const row = sql.seen.get(folder, name);
      return row && toSeen(folder, row);
    },
    childFolders(folder) {
      const children: Buffer[] = [];
      const { from, to } = below(folder);
      const prefix = folder.length === 0 ? 0 : folder.length + 1;
      let last: Buffer | undefined;
      for (let at = sql.nextFolder.get(from, to); at !== undefined; ) {
        const slash = at.indexOf(0x2f, prefix);
        const name = at.subarray(prefix, slash === -1 ? at.length : slash);
        if (!last?.equals(name)) children.push(name);
        last = name;
        // "x-y" sorts between "x" and "x/y": only what lies below "x/" may be leapt over.
        const next = slash === -1 ? Buffer.concat([at, Buffer.of(0)]) : below(join(folder, name)).to;
        at = sql.nextFolder.get(next, to);
      }
      return [...new Map(children.map((name) => [name.toString("latin1"), name])).values()];
    },
    *foldersSeen(folder) {
      if (sql.folderId.get(folder) !== undefined) yield folder;
      const { from, to } = below(folder);
      let after = from;
      while (true) {
        const page = sql.folders.all(after, to);
        yield* page;
        if (page.length < PAGE) return;
        after = page.at(-1) as Buffer;
      }
    },
    put(sealings) {
      if (sealings.length === 0) return;
      diskFull(() => putAll.immediate(sealings));
      if (sealings.some((sealing) => sealing.parcel !== undefined)) putDone();
    },
    missed(paths, missed) {
      if (paths.length > 0) diskFull(() => missAll.immediate(paths, missed));
    },
    forget: (path) => diskFull(() => forgetOne.immediate(path)),
    deliveredIn: (folder, size) =>
      sql.deliveredOfSize
        .all(names.client, names.source, size)
        .filter(({ path }) => split(path).folder.equals(folder))
        .map(({ path, sha256 }) => ({ path, sha256: sha256.toString("hex") })),
    standing(path): Standing {
      const { folder, name } = split(path);
      const delivered = sql.delivered.get(folder, name) ?? 0;
      const youngest = sql.youngest.get(path);
      return {
        delivered: delivered > 0,
        current: delivered === 2,
        waiting:
          youngest === undefined
            ? "none"
            : youngest.kind === "removal"
              ? "removal"
              : youngest.spooled === null
                ? "in-place"
                : "spooled",
      };
    },
  };
}
