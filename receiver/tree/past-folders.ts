/** Whether folders were there at a time: while a file below them was, which may be looked for far down, so within bounds. */
import { setImmediate as breathe } from "node:timers/promises";
import { sql } from "kysely";
import { chunks, rows } from "../ledger/chunks.ts";
import { pathHash } from "../ledger/entry.ts";
import { type Candidate, filesAmong, foldersIn, namesIn, type Then } from "./past-names.ts";
import type { PastFolder } from "./tree.ts";

/** Names that may be looked at: what one has seen to all. */
export interface Budget {
  left: number;
}

/** Names of one statement; of a folder's first, which mostly tell. */
const SOME = 100;
const BEGIN = 10;
/** Files of a folder that are asked for at first: mostly one of them is still as it was. */
const FIRST = 20;

/** Those that were there, in their order. */
export async function thereAmong(
  then: Then,
  folders: readonly Candidate[],
  budget: Budget,
): Promise<readonly PastFolder[]> {
  const clear = await clearly(then, folders);
  const there: PastFolder[] = [];
  for (const candidate of folders) {
    const { node } = candidate;
    const was = clear.has(node.pathEncoded) || (await heldFile(then, node.pathEncoded, budget));
    if (was !== false) there.push({ ...node, sure: was === true });
  }
  return there;
}

/** Those where the first look tells: nothing was removed, made by hand, or with a file that is the same since. */
async function clearly(then: Then, folders: readonly Candidate[]): Promise<ReadonlySet<string>> {
  const { db, view, source, instantMs } = then;
  const there = new Set(folders.filter(({ stood }) => stood).map(({ node }) => node.pathEncoded));
  const open = folders.filter(({ stood }) => !stood);
  for (const some of chunks(open, SOME)) {
    const byHash = new Map(some.map(({ node }) => [pathHash(node.pathEncoded), node.pathEncoded]));
    const files = db
      .selectFrom("tree_files as f")
      .select("f.received_at")
      .where("f.client", "=", view.client)
      .where(sql<boolean>`f.parent_hash = asked.parent_hash`)
      .where("f.source", "=", source)
      .orderBy("f.name_key")
      .limit(FIRST)
      .as("some");
    const same = db.selectFrom(files).select("received_at").where("received_at", "<=", instantMs);
    const { rows: found } = await sql<{ parent_hash: string }>`
      with asked (parent_hash) as (${rows([...byHash.keys()].map((hash) => [hash]))})
      select asked.parent_hash from asked where exists ${same}`.execute(db);
    for (const { parent_hash } of found) there.add(byHash.get(parent_hash) as string);
  }
  return there;
}

/** Whether a file was somewhere below; undefined: that was not found out. */
async function heldFile(then: Then, folder: string, budget: Budget): Promise<boolean | undefined> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    if (budget.left <= 0) return undefined;
    const limit: number = after === "" ? BEGIN : SOME;
    // Each of these answers at once: others have their turn between them.
    await breathe();
    const names = await namesIn(then, folder, { after, limit });
    budget.left -= names.length;
    if ((await filesAmong(then, names)).length > 0) return true;
    after = names.length < limit ? undefined : names.at(-1)?.key;
  }
  let sure = true;
  for (let after: string | undefined = ""; after !== undefined; ) {
    if (budget.left <= 0) return undefined;
    const page = await foldersIn(then, folder, { after, limit: SOME });
    budget.left -= page.length;
    const below = page.map(({ node }) => node);
    if ((await clearly(then, below)).size > 0) return true;
    for (const { node } of below) {
      const held = await heldFile(then, node.pathEncoded, budget);
      if (held === true) return true;
      sure &&= held === false;
    }
    after = page.length < SOME ? undefined : page.at(-1)?.key;
  }
  return sure ? false : undefined;
}
