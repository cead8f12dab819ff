/** The tree's tables as Kysely sees them. All follows from the ledger but what was made by hand; none is in a backup. */
import type { Kysely } from "kysely";
import type { Tables } from "../ledger/schema.ts";

/** Where a file stands, and its newest entry. */
export interface FileTable {
  client: string;
  parent_hash: string;
  source: string;
  name_key: string;
  seq: number;
  bearer: string;
  long_name: string | null;
  size: number | null;
  modified_at: string | null;
  received_at: number;
}

export interface FolderTable {
  client: string;
  parent_hash: string;
  source: string;
  name_key: string;
  bearer: string;
  name: string;
  made: 0 | 1;
  brought: 0 | 1;
  holds: number;
  made_at: number;
  lost_at: number | null;
}

type TreeTables = {
  tree_state: { client: string; seq: number };
  tree_files: FileTable;
  tree_removed: FileTable;
  tree_folders: FolderTable;
  reordered: { client: string; source: string; path_hash: string };
};

export type TreeDatabase = Kysely<Tables & TreeTables>;

/** The ledger's database, or a transaction on it, with the tree's tables. */
export function withTree(db: Kysely<Tables>): TreeDatabase {
  return db.withTables<TreeTables>();
}
