/** The search's tables as Kysely sees them. All follows from the entries; none is in a backup. */
import type { Kysely } from "kysely";
import type { Tables } from "../ledger/schema.ts";

type SearchTables = {
  search_state: { id: 1; seq: number };
  search_blocks: {
    id: number;
    client: string;
    source: string;
    count: number;
    size: number;
    firsts: string;
    paths: string;
  };
  search_words: { word: string; block: number };
};

export type SearchDatabase = Kysely<Tables & SearchTables>;

/** The ledger's database, or a transaction on it, with the search's tables. */
export function withSearch(db: Kysely<Tables>): SearchDatabase {
  return db.withTables<SearchTables>();
}
