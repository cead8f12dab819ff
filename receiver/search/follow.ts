/**
 * Brings the search up to the ledger, a few entries in a transaction: so that nobody waits long for one, in the database
 * or in this process, and commits pay nothing for it.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { named, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { addPaths } from "./blocks.ts";
import { type SearchDatabase, withSearch } from "./schema.ts";

/** Entries of one step, at most: most are of paths that are known. */
const ENTRIES = 500;
/** Of those, paths that are new, and their sources: the open block of each is written anew. */
const PATHS = 200;
const SOURCES = 50;

export interface SearchPosition {
  /** The newest entry. */
  readonly last: number;
  /** Up to which the search is. */
  readonly at: number;
}

export async function searchPosition(db: SearchDatabase): Promise<SearchPosition> {
  const newest = db.selectFrom("entries").select("seq").orderBy("seq", "desc").limit(1);
  return await named(async () => {
    const { last, at } = await db
      .selectFrom("search_state")
      .select([newest.as("last"), "seq as at"])
      .executeTakeFirstOrThrow();
    return { last: last ?? 0, at };
  });
}

/** With all that is committed by now; it does not run after what is committed meanwhile. Gives up after `withinMs`. */
export async function catchUpSearch(
  db: Database,
  {
    stopping,
    withinMs = Number.POSITIVE_INFINITY,
  }: { readonly stopping?: AbortSignal; readonly withinMs?: number } = {},
): Promise<void> {
  const search = withSearch(db);
  const until = performance.now() + withinMs;
  const { last } = await searchPosition(search);
  while (!stopping?.aborted && performance.now() < until) {
    const at = await step(search);
    if (at >= last) return;
    await breathe();
  }
}

/** What is read before is still right if nobody else took the step meanwhile. */
async function step(db: SearchDatabase): Promise<number> {
  const { at } = await searchPosition(db);
  const { entries, upTo } = await named(() => nextEntries(db, at));
  if (upTo === at) return Number.POSITIVE_INFINITY;
  const isFirst = entries.filter(({ earlier }) => earlier === null);
  await breathe();
  return await writing(db, async (outer) => {
    const trx = withSearch(outer);
    const { seq } = await trx
      .updateTable("search_state")
      .set((eb) => ({ seq: eb.ref("seq") }))
      .returning("seq")
      .executeTakeFirstOrThrow();
    if (seq !== at) return seq;
    if (isFirst.length > 0) await addPaths(trx, isFirst);
    await trx.updateTable("search_state").set({ seq: upTo }).execute();
    return upTo;
  });
}

/** `earlier`: an entry of the same path that came before. */
async function nextEntries(db: SearchDatabase, at: number) {
  const some = db
    .selectFrom("entries")
    .select(["seq", "client", "source", "path_encoded", "path_hash"])
    .where("seq", ">", at)
    .orderBy("seq")
    .limit(ENTRIES)
    .as("e");
  const all = await db
    .selectFrom(some)
    .select(["e.seq", "e.client", "e.source", "e.path_encoded"])
    .select((eb) =>
      eb
        .selectFrom("entries as p")
        .select("p.seq")
        .whereRef("p.path_hash", "=", "e.path_hash")
        .whereRef("p.client", "=", "e.client")
        .whereRef("p.source", "=", "e.source")
        .whereRef("p.seq", "<", "e.seq")
        .orderBy("p.seq")
        .limit(1)
        .as("earlier"),
    )
    .orderBy("e.seq")
    .execute();
  const sources = new Set<string>();
  let paths = 0;
  const end = all.findIndex(({ client, source, earlier }) => {
    if (earlier !== null) return false;
    paths += 1;
    sources.add(`${client}/${source}`);
    return paths > PATHS || sources.size > SOURCES;
  });
  const entries = end === -1 ? all : all.slice(0, end);
  return { entries, upTo: entries.at(-1)?.seq ?? at };
}
