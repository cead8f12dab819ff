/** The tree's rows as nodes, and the questions that find them. */
import { instantOf } from "../ledger/entry.ts";
import { placeOf } from "./place.ts";
import type { TreeDatabase } from "./schema.ts";
import type { FileNode, FolderNode, RemovedNode, View } from "./tree.ts";

/** A node, and the key of its name: pages follow each other by that. */
export interface Keyed<N> {
  readonly key: string;
  readonly node: N;
}

interface Range {
  readonly source: string;
  readonly parent_hash: string;
  readonly after: string;
  readonly limit: number;
}

/** The newest entry of a path. */
export async function fileAt(
  db: TreeDatabase,
  view: View,
  source: string,
  path_hash: string,
): Promise<FileNode | RemovedNode | undefined> {
  let query = db
    .selectFrom("heads as h")
    .innerJoin("entries as e", "e.seq", "h.seq")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(FILE)
    .where("h.client", "=", view.client)
    .where("h.source", "=", source)
    .where("h.path_hash", "=", path_hash);
  if (!view.bearer.seesAll) query = query.where("h.bearer", "=", view.bearer.id);
  const row = await query.executeTakeFirst();
  return row && (row.kind === "version" ? fileOf(row) : removedOf(row));
}

export async function filesIn(db: TreeDatabase, view: View, range: Range): Promise<Keyed<FileNode>[]> {
  return (await rowsIn(db, "tree_files", view, range)).map((row) => ({
    key: row.name_key,
    node: fileOf(row),
  }));
}

export async function removedIn(db: TreeDatabase, view: View, range: Range): Promise<Keyed<RemovedNode>[]> {
  return (await rowsIn(db, "tree_removed", view, range)).map((row) => ({
    key: row.name_key,
    node: removedOf(row),
  }));
}

const FILE = [
  "e.kind",
  "e.path_encoded",
  "e.version_id",
  "e.seq",
  "e.size",
  "e.sha256",
  "e.modified_at",
  "m.modified_at as modified_later",
  "e.received_at",
  "e.lake_key",
] as const;

async function rowsIn(db: TreeDatabase, table: "tree_files" | "tree_removed", view: View, range: Range) {
  let query = db
    .selectFrom(`${table} as f`)
    .innerJoin("entries as e", "e.seq", "f.seq")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["f.name_key", ...FILE])
    .where("f.client", "=", view.client)
    .where("f.parent_hash", "=", range.parent_hash)
    .where("f.source", "=", range.source)
    .where("f.name_key", ">", range.after)
    .orderBy("f.name_key")
    .limit(range.limit);
  if (!view.bearer.seesAll) query = query.where("f.bearer", "=", view.bearer.id);
  return await query.execute();
}

interface FileRow {
  readonly path_encoded: string;
  readonly version_id: string;
  readonly seq: number;
  readonly size: number | null;
  readonly sha256: string | null;
  readonly modified_at: string | null;
  readonly modified_later: string | null;
  readonly received_at: number;
  readonly lake_key: string | null;
}

/** Of a version, which has a size, a digest and a key. */
function fileOf(row: FileRow): FileNode {
  return {
    kind: "file",
    pathEncoded: row.path_encoded,
    versionId: row.version_id,
    seq: row.seq,
    size: row.size as number,
    sha256: row.sha256 as string,
    modifiedAt: row.modified_later ?? row.modified_at,
    receivedAt: instantOf(row.received_at),
    key: row.lake_key as string,
  };
}

function removedOf({ path_encoded, seq, received_at }: FileRow): RemovedNode {
  return { kind: "removed", pathEncoded: path_encoded, seq, receivedAt: instantOf(received_at) };
}

/** As the view sees it. `ever`: also where nothing is left of what was brought. */
export async function folderAt(
  db: TreeDatabase,
  view: View,
  source: string,
  pathEncoded: string,
  ever: boolean,
): Promise<FolderNode | undefined> {
  const { parent_hash, name_key } = placeOf(pathEncoded);
  const row = await parts(db, view, ever)
    .select((eb) => eb.fn.min("d.made_at").as("made_at"))
    .where("d.parent_hash", "=", parent_hash)
    .where("d.source", "=", source)
    .where("d.name_key", "=", name_key)
    .executeTakeFirst();
  return typeof row?.made_at === "number" ? folderOf(pathEncoded, row.made_at) : undefined;
}

export async function foldersIn(
  db: TreeDatabase,
  view: View,
  folder: string,
  range: Range,
  ever: boolean,
): Promise<Keyed<FolderNode>[]> {
  const rows = await parts(db, view, ever)
    .select((eb) => ["d.name_key", eb.fn.min("d.name").as("name"), eb.fn.min("d.made_at").as("made_at")])
    .where("d.parent_hash", "=", range.parent_hash)
    .where("d.source", "=", range.source)
    .where("d.name_key", ">", range.after)
    .groupBy("d.name_key")
    .orderBy("d.name_key")
    .limit(range.limit)
    .execute();
  const path = (name: string): string => (folder === "" ? name : `${folder}/${name}`);
  return rows.map(({ name_key, name, made_at }) => ({ key: name_key, node: folderOf(path(name), made_at) }));
}

export async function sourcesOf(db: TreeDatabase, view: View, ever: boolean): Promise<readonly string[]> {
  let query = parts(db, view, ever)
    .select("d.source")
    .distinct()
    .where("d.parent_hash", "=", "")
    .orderBy("d.source");
  if (view.source !== undefined) query = query.where("d.source", "=", view.source);
  return (await query.execute()).map(({ source }) => source);
}

function folderOf(pathEncoded: string, madeAt: number): FolderNode {
  return { kind: "folder", pathEncoded, madeAt: instantOf(madeAt) };
}

function parts(db: TreeDatabase, view: View, ever: boolean) {
  const query = db
    .selectFrom("tree_folders as d")
    .where("d.client", "=", view.client)
    .where((eb) =>
      eb.or([eb("d.made", "=", 1), eb("d.holds", ">", 0), ...(ever ? [eb("d.brought", "=", 1)] : [])]),
    );
  return view.bearer.seesAll ? query : query.where("d.bearer", "=", view.bearer.id);
}
