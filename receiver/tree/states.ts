/** What paths were at a time: of each the newest entry up to then, in a few steps of an index however many came since. */
import { sql } from "kysely";
import { chunks, rows } from "../ledger/chunks.ts";
import { pathHash } from "../ledger/entry.ts";
import type { TreeDatabase } from "./schema.ts";
import type { PastView } from "./tree.ts";

/** The newest entry of a path at that time. */
export interface State {
  readonly kind: "version" | "removal";
  readonly seq: number;
  readonly version_id: string;
  readonly size: number | null;
  readonly sha256: string | null;
  /** Also if told later. */
  readonly modified_at: string | null;
  readonly received_at: number;
  readonly lake_key: string | null;
}

/** Statements of this many paths are short enough for both databases to plan quickly. */
const PATHS = 250;

/** The number of the newest entry of all up to that time; 0: there was none. */
export async function boundaryAt(db: TreeDatabase, instantMs: number): Promise<number> {
  const row = await db
    .selectFrom("entries")
    .select("seq")
    .where("received_at", "<=", instantMs)
    .orderBy("received_at", "desc")
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.seq ?? 0;
}

/** By path; those that had not come yet are not in it. */
export async function statesAt(
  db: TreeDatabase,
  { client }: PastView,
  source: string,
  instantMs: number,
  boundary: number,
  paths: readonly string[],
): Promise<ReadonlyMap<string, State>> {
  const found = new Map<string, State>();
  for (const some of chunks(paths, PATHS)) {
    const byHash = new Map(some.map((path) => [pathHash(path), path]));
    const around = await neighbours(db, client, source, boundary, [...byHash.keys()]);
    const odd = await reorderedAmong(db, client, source, [...byHash.keys()]);
    const states = await entriesOf(
      db,
      around.flatMap(({ below, above }) => [below, above].filter((seq) => seq !== null)),
    );
    for (const { path_hash, below, above } of around) {
      const before = below === null ? undefined : states.get(below);
      const after = above === null ? undefined : states.get(above);
      const isClear =
        !odd.has(path_hash) &&
        (before === undefined || before.received_at <= instantMs) &&
        (after === undefined || after.received_at > instantMs);
      const state = isClear ? before : await newestAt(db, client, source, path_hash, instantMs);
      if (state !== undefined) found.set(byHash.get(path_hash) as string, state);
    }
  }
  return found;
}

interface Neighbours {
  readonly path_hash: string;
  readonly below: number | null;
  readonly above: number | null;
}

/** Of each path the entry before the boundary and the one behind it: both are times in order unless a merge numbered anew. */
async function neighbours(
  db: TreeDatabase,
  client: string,
  source: string,
  boundary: number,
  hashes: readonly string[],
): Promise<readonly Neighbours[]> {
  const one = (beside: "<=" | ">", order: "asc" | "desc") =>
    db
      .selectFrom("entries as e")
      .select("e.seq")
      .where(sql<boolean>`e.path_hash = asked.path_hash`)
      .where("e.client", "=", client)
      .where("e.source", "=", source)
      .where("e.seq", beside, boundary)
      .orderBy("e.seq", order)
      .limit(1);
  const { rows: found } = await sql<Neighbours>`
    with asked (path_hash) as (${rows(hashes.map((hash) => [hash]))})
    select asked.path_hash, (${one("<=", "desc")}) as below, (${one(">", "asc")}) as above from asked`.execute(
    db,
  );
  return found;
}

async function reorderedAmong(
  db: TreeDatabase,
  client: string,
  source: string,
  hashes: readonly string[],
): Promise<ReadonlySet<string>> {
  const keys = hashes.map((hash) => [client, source, hash]);
  const found = await db
    .selectFrom("reordered")
    .select("path_hash")
    .where(sql<boolean>`(client, source, path_hash) in (${rows(keys)})`)
    .execute();
  return new Set(found.map(({ path_hash }) => path_hash));
}

function stateQuery(db: TreeDatabase) {
  return db
    .selectFrom("entries as e")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["e.kind", "e.seq", "e.version_id", "e.size", "e.sha256", "e.received_at", "e.lake_key"])
    .select((eb) => eb.fn.coalesce("m.modified_at", "e.modified_at").as("modified_at"));
}

async function entriesOf(db: TreeDatabase, seqs: readonly number[]): Promise<ReadonlyMap<number, State>> {
  if (seqs.length === 0) return new Map();
  const found = await stateQuery(db).where("e.seq", "in", seqs).execute();
  return new Map(found.map((state) => [state.seq, state]));
}

/** Of a path whose entries are not numbered in the order of their times: by reading all of them. */
async function newestAt(
  db: TreeDatabase,
  client: string,
  source: string,
  path_hash: string,
  instantMs: number,
): Promise<State | undefined> {
  return await stateQuery(db)
    .where("e.path_hash", "=", path_hash)
    .where("e.client", "=", client)
    .where("e.source", "=", source)
    .where("e.received_at", "<=", instantMs)
    .orderBy("e.received_at", "desc")
    .orderBy("e.seq", "desc")
    .limit(1)
    .executeTakeFirst();
}
