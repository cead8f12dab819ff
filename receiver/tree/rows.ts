/** The tree's rows as nodes, and the questions that find them. */
import { instantOf, pathHash } from "../ledger/entry.ts";
import { placeOf } from "./place.ts";
import type { FileTable, TreeDatabase } from "./schema.ts";
import type { FileNode, FolderNode, ListedFile, RemovedNode, View } from "./tree.ts";

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
  pathEncoded: string,
): Promise<FileNode | RemovedNode | undefined> {
  let query = db
    .selectFrom("heads as h")
    .innerJoin("entries as e", "e.seq", "h.seq")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["e.kind", "e.version_id", "e.seq", "e.size", "e.sha256", "e.received_at", "e.lake_key"])
    .select((eb) => eb.fn.coalesce("m.modified_at", "e.modified_at").as("modified_at"))
    .where("h.client", "=", view.client)
    .where("h.source", "=", source)
    .where("h.path_hash", "=", pathHash(pathEncoded));
  if (!view.bearer.seesAll) query = query.where("h.bearer", "=", view.bearer.id);
  const row = await query.executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.kind !== "version") return removedOf(pathEncoded, row);
  const { version_id: versionId, sha256, lake_key } = row;
  // A version has all of them.
  return { ...listedOf(pathEncoded, row), versionId, sha256: sha256 as string, key: lake_key as string };
}

export async function filesIn(
  db: TreeDatabase,
  view: View,
  folder: string,
  range: Range,
): Promise<Keyed<ListedFile>[]> {
  const rows = await rowsIn(db, "tree_files", view, range);
  return rows.map((row) => ({ key: row.name_key, node: listedOf(pathIn(folder, row), row) }));
}

export async function removedIn(
  db: TreeDatabase,
  view: View,
  folder: string,
  range: Range,
): Promise<Keyed<RemovedNode>[]> {
  const rows = await rowsIn(db, "tree_removed", view, range);
  return rows.map((row) => ({ key: row.name_key, node: removedOf(pathIn(folder, row), row) }));
}

async function rowsIn(db: TreeDatabase, table: "tree_files" | "tree_removed", view: View, range: Range) {
  let query = db
    .selectFrom(table)
    .select(["name_key", "long_name", "seq", "size", "modified_at", "received_at"])
    .where("client", "=", view.client)
    .where("parent_hash", "=", range.parent_hash)
    .where("source", "=", range.source)
    .where("name_key", ">", range.after)
    .orderBy("name_key")
    .limit(range.limit);
  if (!view.bearer.seesAll) query = query.where("bearer", "=", view.bearer.id);
  return await query.execute();
}

function pathIn(folder: string, row: Pick<FileTable, "name_key" | "long_name">): string {
  return childOf(folder, row.long_name ?? row.name_key);
}

export function childOf(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

type FileRow = Pick<FileTable, "seq" | "size" | "modified_at" | "received_at">;

export function listedOf(pathEncoded: string, { seq, size, modified_at, received_at }: FileRow): ListedFile {
  const receivedAt = instantOf(received_at);
  return { kind: "file", pathEncoded, seq, size: size as number, modifiedAt: modified_at, receivedAt };
}

function removedOf(pathEncoded: string, { seq, received_at }: FileRow): RemovedNode {
  return { kind: "removed", pathEncoded, seq, receivedAt: instantOf(received_at) };
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
  return rows.map(({ name_key, name, made_at }) => ({
    key: name_key,
    node: folderOf(childOf(folder, name), made_at),
  }));
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

export function folderOf(pathEncoded: string, madeAt: number): FolderNode {
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
