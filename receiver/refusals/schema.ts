/** The table of refusals as Kysely sees it. It is in no backup: what was refused says nothing about what is stored. */
import type { Kysely } from "kysely";
import type { Tables } from "../ledger/schema.ts";

interface RefusalTable {
  client: string;
  bearer: string;
  code: string;
  bearer_kind: BearerKind;
  count: number;
  first_at: number;
  last_at: number;
  last_detail: string;
  last_path: string;
  last_request_id: string | null;
}

/** Who was refused: an agent, an API key, an SFTP account. */
export type BearerKind = "agent" | "key" | "account";

export type RefusalDatabase = Kysely<Tables & { refusals: RefusalTable }>;

/** The ledger's database, or a transaction on it, with the table of refusals. */
export function withRefusals(db: Kysely<Tables>): RefusalDatabase {
  return db.withTables<{ refusals: RefusalTable }>();
}
