/** In which blocks to look: those that have the rare ones of the words that were typed, or all of a client's or source's. */
import { named } from "../ledger/database.ts";
import type { Term } from "./fold.ts";
import type { SearchDatabase } from "./schema.ts";

/** A word of more blocks than this is common: it tells little, and reading where it is takes long. */
const COMMON = 5000;
/** Words that are looked up: who pastes a text finds it by its longest ones. */
const MOST_WORDS = 8;
/** So few blocks are read sooner than further words. */
const FEW = 64;

/** Descending; undefined: nothing typed is rare. */
export async function candidateBlocks(
  db: SearchDatabase,
  terms: readonly Term[],
): Promise<readonly number[] | undefined> {
  // Long words are mostly rare ones.
  const words = terms
    .flatMap((term) => term.words)
    .sort((a, b) => b.text.length - a.text.length)
    .slice(0, MOST_WORDS);
  let blocks: ReadonlySet<number> | undefined;
  for (const word of words) {
    if (blocks !== undefined && blocks.size <= FEW) break;
    const some = await blocksOf(db, word);
    if (some === undefined) continue;
    blocks = blocks === undefined ? some : blocks.intersection(some);
  }
  return blocks && [...blocks].sort((a, b) => b - a);
}

/** Undefined: it is common. */
async function blocksOf(
  db: SearchDatabase,
  { text, whole }: Term["words"][number],
): Promise<ReadonlySet<number> | undefined> {
  let query = db
    .selectFrom("search_words")
    .select("block")
    .limit(COMMON + 1);
  // No character is behind the last one of Unicode, in the order of bytes.
  query = whole
    ? query.where("word", "=", text)
    : query.where("word", ">=", text).where("word", "<", `${text}\u{10FFFF}`);
  const found = await named(() => query.execute());
  return found.length > COMMON ? undefined : new Set(found.map(({ block }) => block));
}
