/** Who brought an entry, in words: entries hold ids alone, and agents, keys and accounts have names. */
import type { Database } from "../ledger/schema.ts";

export interface Bearer {
  /** `unknown`: a ledger that was rebuilt knows who brought what by id alone. */
  readonly kind: "agent" | "key" | "account" | "unknown";
  readonly id: string;
  readonly name: string | null;
}

/** By id; those that are known. */
export async function bearersOf(db: Database, ids: readonly string[]): Promise<ReadonlyMap<string, Bearer>> {
  if (ids.length === 0) return new Map();
  const [agents, keys, accounts] = await Promise.all([
    db.selectFrom("agents").select(["id", "name"]).where("id", "in", ids).execute(),
    db.selectFrom("api_keys").select(["id", "name"]).where("id", "in", ids).execute(),
    db.selectFrom("sftp_accounts").select(["id", "user_name as name"]).where("id", "in", ids).execute(),
  ]);
  const of = (kind: Bearer["kind"], rows: readonly { readonly id: string; readonly name: string | null }[]) =>
    rows.map(({ id, name }): [string, Bearer] => [id, { kind, id, name }]);
  return new Map([...of("agent", agents), ...of("key", keys), ...of("account", accounts)]);
}
