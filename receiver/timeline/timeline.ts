/** The timeline of one path: all that ever came of it and went, newest first, and who brought it. */
import { sql } from "kysely";
import { type Bringer, bringersOf } from "../ledger/bringers.ts";
import { named } from "../ledger/database.ts";
import { type EntryRow, instantOf, pathHash } from "../ledger/entry.ts";
import type { Database, Tables } from "../ledger/schema.ts";

export interface Moment {
  readonly kind: "version" | "removal";
  readonly versionId: string;
  readonly seq: number;
  /** Null of a removal, as `sha256`. */
  readonly size: number | null;
  /** Bytes more than the version right before it, or fewer; null where there is none. */
  readonly sizeChange: number | null;
  readonly sha256: string | null;
  readonly captureId: string;
  /** RFC 3339, as the sender told, also after the commit; null when never. */
  readonly modifiedAt: string | null;
  readonly sealedAt: string | null;
  readonly receivedAt: string;
  readonly channel: string;
  /** Null: the ledger does not say. */
  readonly broughtBy: Bringer | null;
  /** A compact JWS. */
  readonly receipt: string;
}

export interface Timeline {
  readonly moments: readonly Moment[];
  /** For the next page's `before`; undefined: these were the oldest. */
  readonly next: number | undefined;
}

type Reordered = { reordered: { client: string; source: string; path_hash: string } };

/** Newest by commit time, as everywhere. `before`: a seq of this path. `from`: the first is this version, if it is of this path. */
export async function versionsOf(
  db: Database,
  client: string,
  source: string,
  pathEncoded: string,
  {
    before,
    from,
    limit,
  }: {
    readonly before?: number | undefined;
    readonly from?: string | undefined;
    readonly limit: number;
  },
): Promise<Timeline> {
  const path = { client, source, path_hash: pathHash(pathEncoded) };
  // One more tells whether there is another page, and the change of size.
  const found = await named(async () => {
    const first = from === undefined ? undefined : await seqOf(db, path, from);
    if (from !== undefined && first === undefined) return [];
    const edge: Edge = first === undefined ? { seq: before, compare: "<" } : { seq: first, compare: "<=" };
    return (await isReordered(db, path))
      ? await byTime(db, path, edge, limit + 1)
      : await bySeq(db, path, edge, limit + 1);
  });
  const bringers = await bringersOf(
    db,
    found.map(({ bearer }) => bearer),
  );
  const moments = found
    .slice(0, limit)
    .map((row, i) => momentOf(row, found[i + 1], bringers.get(row.bearer) ?? null));
  return { moments, next: found.length > limit ? moments.at(-1)?.seq : undefined };
}

type Row = Pick<
  EntryRow,
  | ("kind" | "version_id" | "seq" | "size" | "sha256" | "capture_id" | "modified_at" | "sealed_at")
  | ("received_at" | "channel" | "bearer" | "receipt")
>;

function momentOf(row: Row, older: Row | undefined, broughtBy: Bringer | null): Moment {
  const { kind, version_id: versionId, seq, size, sha256, capture_id: captureId, channel, receipt } = row;
  const sizeChange = size === null || older === undefined || older.size === null ? null : size - older.size;
  return {
    ...{ kind, versionId, seq, size, sizeChange, sha256, captureId, channel, broughtBy, receipt },
    modifiedAt: row.modified_at,
    sealedAt: row.sealed_at,
    receivedAt: instantOf(row.received_at),
  };
}

type Path = Pick<Tables["entries"], "client" | "source" | "path_hash">;

/** Where a page begins; of none it is the newest. */
interface Edge {
  readonly seq: number | undefined;
  readonly compare: "<" | "<=";
}

async function seqOf(db: Database, path: Path, versionId: string): Promise<number | undefined> {
  const row = await db
    .selectFrom("entries")
    .select(["seq", "client", "source", "path_hash"])
    .where("version_id", "=", versionId)
    .executeTakeFirst();
  const same = row?.client === path.client && row.source === path.source && row.path_hash === path.path_hash;
  return same ? row.seq : undefined;
}

/** A merge numbered its entries in another order than they were committed in. */
async function isReordered(db: Database, { client, source, path_hash }: Path): Promise<boolean> {
  const row = await db
    .withTables<Reordered>()
    .selectFrom("reordered")
    .select("path_hash")
    .where("client", "=", client)
    .where("source", "=", source)
    .where("path_hash", "=", path_hash)
    .executeTakeFirst();
  return row !== undefined;
}

function rowsOf(db: Database, { client, source, path_hash }: Path, limit: number) {
  return db
    .selectFrom("entries as e")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["e.kind", "e.version_id", "e.seq", "e.size", "e.sha256", "e.capture_id", "e.sealed_at"])
    .select(["e.received_at", "e.channel", "e.bearer", "e.receipt"])
    .select((eb) => eb.fn.coalesce("m.modified_at", "e.modified_at").as("modified_at"))
    .where("e.path_hash", "=", path_hash)
    .where("e.client", "=", client)
    .where("e.source", "=", source)
    .limit(limit);
}

async function bySeq(db: Database, path: Path, { seq, compare }: Edge, limit: number) {
  let query = rowsOf(db, path, limit).orderBy("e.seq", "desc");
  if (seq !== undefined) query = query.where("e.seq", compare, seq);
  return await query.execute();
}

async function byTime(db: Database, path: Path, { seq, compare }: Edge, limit: number) {
  let query = rowsOf(db, path, limit).orderBy("e.received_at", "desc").orderBy("e.seq", "desc");
  if (seq !== undefined)
    query = query.where(
      sql<boolean>`(e.received_at, e.seq) ${sql.raw(compare)} (select received_at, seq from entries where seq = ${seq})`,
    );
  return await query.execute();
}
