/** Clients and agents by what they are called: there are few enough to look at each. */
import { named } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { folded } from "./fold.ts";

export interface FoundClient {
  readonly name: string;
  readonly suspended: boolean;
}

export interface FoundAgent {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly state: Tables["agents"]["state"];
}

export async function findClients(
  db: Database,
  text: string,
  limit: number,
): Promise<readonly FoundClient[]> {
  const all = await named(() =>
    db.selectFrom("clients").select(["name", "suspended_at"]).orderBy("name").execute(),
  );
  return best(all, text, limit, ({ name }) => [name]).map(({ name, suspended_at }) => ({
    name,
    suspended: suspended_at !== null,
  }));
}

/** By name, host or id. */
export async function findAgents(db: Database, text: string, limit: number): Promise<readonly FoundAgent[]> {
  const all = await named(() =>
    db.selectFrom("agents").select(["id", "name", "host", "state"]).orderBy("name").orderBy("id").execute(),
  );
  return best(all, text, limit, ({ name, host, id }) => [name, host, id]);
}

/** Those that begin with it, then those that have it anywhere. */
function best<T>(
  all: readonly T[],
  text: string,
  limit: number,
  namesOf: (one: T) => readonly string[],
): readonly T[] {
  const wanted = folded(text);
  const at = all.map((one) => ({
    one,
    place: Math.min(
      ...namesOf(one).map((name) => {
        const found = folded(name).indexOf(wanted);
        return found === -1 ? Number.POSITIVE_INFINITY : Math.min(found, 1);
      }),
    ),
  }));
  return [0, 1]
    .flatMap((place) => at.filter((found) => found.place === place).map(({ one }) => one))
    .slice(0, limit);
}
