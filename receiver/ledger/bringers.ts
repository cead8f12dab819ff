/** Who brought entries, by the names that people know. */
import { chunks } from "./chunks.ts";
import { named } from "./database.ts";
import type { Database } from "./schema.ts";

/**
 * An agent by its name, an API key by its name, an SFTP account by its user. `name` null: it has none, or (`gone`) nobody
 * of this id is known any more, as after a rebuild without a backup.
 */
export interface Bringer {
  readonly kind: "agent" | "key" | "account" | "gone";
  readonly id: string;
  readonly name: string | null;
}

/** By id. */
export async function bringersOf(
  db: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Bringer>> {
  const found = new Map<string, Bringer>();
  for (const some of chunks([...new Set(ids)].filter((id) => id !== ""))) {
    const [agents, keys, accounts] = await named(() =>
      Promise.all([
        db.selectFrom("agents").select(["id", "name"]).where("id", "in", some).execute(),
        db.selectFrom("api_keys").select(["id", "name"]).where("id", "in", some).execute(),
        db.selectFrom("sftp_accounts").select(["id", "user_name as name"]).where("id", "in", some).execute(),
      ]),
    );
    for (const id of some) found.set(id, { kind: "gone", id, name: null });
    for (const { id, name } of agents) found.set(id, { kind: "agent", id, name });
    for (const { id, name } of keys) found.set(id, { kind: "key", id, name });
    for (const { id, name } of accounts) found.set(id, { kind: "account", id, name });
  }
  return found;
}
