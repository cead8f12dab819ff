/** The names in a folder that there ever were, and what they were at a time. */
import { sql } from "kysely";
import { pathHash } from "../ledger/entry.ts";
import { first } from "./look.ts";
import { childOf, folderOf, type Keyed, listedOf } from "./rows.ts";
import type { FileTable, TreeDatabase } from "./schema.ts";
import { statesAt } from "./states.ts";
import type { FolderNode, ListedFile, PastView } from "./tree.ts";

/** A look back: whose tree, of which source, at what time, and the number of the newest entry of then. */
export interface Then {
  readonly db: TreeDatabase;
  readonly view: PastView;
  readonly source: string;
  readonly instantMs: number;
  readonly boundary: number;
}

interface From {
  readonly after: string;
  readonly limit: number;
}

/** A path that is or was a file right inside a folder: where its newest entry is of then or before, all is known of it. */
export interface Name {
  readonly pathEncoded: string;
  readonly removed: boolean;
  readonly row: Pick<FileTable, "seq" | "size" | "modified_at" | "received_at">;
}

/** In the order of their names. */
export async function namesIn(then: Then, folder: string, from: From): Promise<readonly Keyed<Name>[]> {
  const [files, removed] = await Promise.all([
    rowsOf(then, "tree_files", folder, from),
    rowsOf(then, "tree_removed", folder, from),
  ]);
  // One that came back stands in both.
  return first(files, removed).slice(0, from.limit);
}

async function rowsOf(
  { db, view, source }: Then,
  table: "tree_files" | "tree_removed",
  folder: string,
  { after, limit }: From,
): Promise<Keyed<Name>[]> {
  const found = await db
    .selectFrom(table)
    .select(["name_key", "long_name", "seq", "size", "modified_at", "received_at"])
    .where("client", "=", view.client)
    .where("parent_hash", "=", pathHash(folder))
    .where("source", "=", source)
    .where("name_key", ">", after)
    .orderBy("name_key")
    .limit(limit)
    .execute();
  return found.map(({ name_key, long_name, ...row }) => {
    const pathEncoded = childOf(folder, long_name ?? name_key);
    return { key: name_key, node: { pathEncoded, removed: table === "tree_removed", row } };
  });
}

/** Those that were files then. */
export async function filesAmong(
  then: Then,
  names: readonly Keyed<Name>[],
): Promise<readonly Keyed<ListedFile>[]> {
  const { db, view, source, instantMs, boundary } = then;
  const later = names.filter(({ node }) => node.row.received_at > instantMs);
  const states = await statesAt(
    db,
    view,
    source,
    instantMs,
    boundary,
    later.map(({ node }) => node.pathEncoded),
  );
  return names.flatMap(({ key, node: { pathEncoded, removed, row } }) => {
    if (row.received_at <= instantMs) return removed ? [] : [{ key, node: listedOf(pathEncoded, row) }];
    const state = states.get(pathEncoded);
    return state?.kind === "version" ? [{ key, node: listedOf(pathEncoded, state) }] : [];
  });
}

/** A folder that had come by then. `stood`: nothing was removed from below it by then, or it was made by hand and stands since. */
export interface Candidate {
  readonly node: FolderNode;
  readonly stood: boolean;
}

export async function foldersIn(
  then: Then,
  folder: string,
  { after, limit }: From,
): Promise<readonly Keyed<Candidate>[]> {
  const found = await candidates(then)
    .where("parent_hash", "=", pathHash(folder))
    .where("name_key", ">", after)
    .orderBy("name_key")
    .limit(limit)
    .execute();
  return found.map((row) => ({
    key: row.name_key,
    node: { node: folderOf(childOf(folder, row.name), row.made_at), stood: row.stood === 1 },
  }));
}

/** Exactly this one. */
export async function folderAt(
  then: Then,
  place: { readonly parent_hash: string; readonly name_key: string },
  pathEncoded: string,
): Promise<Candidate | undefined> {
  const row = await candidates(then)
    .where("parent_hash", "=", place.parent_hash)
    .where("name_key", "=", place.name_key)
    .executeTakeFirst();
  return row && { node: folderOf(pathEncoded, row.made_at), stood: row.stood === 1 };
}

function candidates({ db, view, source, instantMs }: Then) {
  return db
    .selectFrom("tree_folders")
    .select((eb) => [
      "name_key",
      eb.fn.min("name").as("name"),
      eb.fn.min("made_at").as("made_at"),
      sql<number>`case
        when max(case when made = 1 and brought = 0 then 1 else 0 end) = 1 then 1
        when max(brought) = 1 and min(coalesce(lost_at, ${sql.lit(Number.MAX_SAFE_INTEGER)})) > ${sql.lit(instantMs)} then 1
        else 0 end`.as("stood"),
    ])
    .where("client", "=", view.client)
    .where("source", "=", source)
    .where("made_at", "<=", instantMs)
    .groupBy("name_key");
}
