/** What some entries, each the newest of its path, change of a client's files. */
import { sql } from "kysely";
import { chunks, rows } from "../ledger/chunks.ts";
import type { FolderChanges } from "./folders.ts";
import { longNameOf, parentOf, placeOf } from "./place.ts";
import type { FileTable, TreeDatabase } from "./schema.ts";

export interface Newest {
  readonly seq: number;
  readonly kind: "version" | "removal";
  readonly source: string;
  readonly path_encoded: string;
  readonly bearer: string;
  readonly size: number | null;
  /** Also if told later. */
  readonly modified_at: string | null;
  readonly received_at: number;
}

/** Writes the files, and tells `folders` which of them came and went. At most CHUNK entries. */
export async function putFiles(
  trx: TreeDatabase,
  client: string,
  newest: readonly Newest[],
  folders: FolderChanges,
): Promise<void> {
  if (newest.length === 0) return;
  const files = newest.map((entry) => ({ entry, row: rowOf(client, entry) }));
  const before = await bearersOf(trx, files);
  for (const { entry, row } of files) {
    const was = before.get(keyOf(row).join("\0"));
    const is = entry.kind === "version" ? entry.bearer : undefined;
    if (was === is) continue;
    const part = { source: entry.source, path: parentOf(entry.path_encoded) };
    if (was !== undefined) folders.hold({ ...part, bearer: was }, -1, entry.received_at);
    if (is !== undefined) folders.hold({ ...part, bearer: is }, 1, entry.received_at);
  }
  const removed = files.filter(({ entry }) => entry.kind !== "version").map(({ row }) => row);
  const there = files.filter(({ entry }) => entry.kind === "version").map(({ row }) => row);
  if (there.length > 0) await putRows(trx, "tree_files", there);
  if (removed.length > 0) {
    await putRows(trx, "tree_removed", removed);
    await trx.deleteFrom("tree_files").where(among(removed)).execute();
  }
}

function rowOf(client: string, entry: Newest): FileTable {
  const { path_encoded, source, seq, bearer, size, modified_at, received_at } = entry;
  const long_name = longNameOf(path_encoded);
  return { client, ...placeOf(path_encoded), source, seq, bearer, long_name, size, modified_at, received_at };
}

function keyOf({
  parent_hash,
  source,
  name_key,
}: Pick<FileTable, "parent_hash" | "source" | "name_key">): string[] {
  return [parent_hash, source, name_key];
}

/** With the client in each row: by the client alone PostgreSQL would read all its files as long as it takes those for few. */
function among(files: readonly FileTable[]) {
  const keys = files.map((file) => [file.client, ...keyOf(file)]);
  return sql<boolean>`(client, parent_hash, source, name_key) in (${rows(keys)})`;
}

/** Who brought those that are there already. */
async function bearersOf(
  trx: TreeDatabase,
  files: readonly { readonly row: FileTable }[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const some of chunks(files.map(({ row }) => row))) {
    const query = trx.selectFrom("tree_files").select(["parent_hash", "source", "name_key", "bearer"]);
    for (const row of await query.where(among(some)).execute()) found.set(keyOf(row).join("\0"), row.bearer);
  }
  return found;
}

async function putRows(
  trx: TreeDatabase,
  table: "tree_files" | "tree_removed",
  files: readonly FileTable[],
): Promise<void> {
  await trx
    .insertInto(table)
    .values(files)
    .onConflict((oc) =>
      oc.columns(["client", "parent_hash", "source", "name_key"]).doUpdateSet((eb) => ({
        seq: eb.ref("excluded.seq"),
        bearer: eb.ref("excluded.bearer"),
        size: eb.ref("excluded.size"),
        modified_at: eb.ref("excluded.modified_at"),
        received_at: eb.ref("excluded.received_at"),
      })),
    )
    .execute();
}
