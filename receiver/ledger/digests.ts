/**
 * Entries by the begin of their digest. Digests are spread evenly, so an index by them alone would have each commit of many
 * files write to as many pages all over it. Here the index begins with a number that each 8,192 entries in a row share (a
 * block): what is written lies together, and a look asks every block, some microseconds each.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { sql } from "kysely";
import type { Database } from "./schema.ts";

const BLOCK_BITS = 13;
const BLOCK = 2 ** BLOCK_BITS;
/** What the index has of a digest; of the rest the row is asked. */
const DIGITS = 12;
const SHORTEST = 8;
/** Blocks of one statement: few at first, for a digest that many entries have (an empty file), then more. */
const [FEWEST, MOST] = [8, 256];

/** Descending; down to `downTo` there is no other one, undefined: nor below. */
export interface WithDigest {
  readonly seqs: readonly number[];
  readonly downTo: number | undefined;
}

/** Throws `request-invalid`: with fewer digits too much would be found. */
export function requireDigest(prefix: string): void {
  if (/^[0-9a-f]*$/.test(prefix) && prefix.length >= SHORTEST && prefix.length <= 64) return;
  throw new ProblemError(
    "request-invalid",
    `"${prefix.slice(0, 80)}" is no begin of a SHA-256; give its first ${SHORTEST} to 64 digits, 0-9 and a-f`,
  );
}

/**
 * The newest entries with lowest <= seq < below whose first digits, at most 12 of them, are these: about `limit`, or a bit more.
 * `breathe` runs between statements.
 */
export async function seqsWithDigest(
  db: Database,
  prefix: string,
  range: { readonly below: number; readonly lowest: number; readonly limit: number },
  breathe: () => Promise<unknown>,
): Promise<WithDigest> {
  requireDigest(prefix);
  const known = prefix.slice(0, DIGITS);
  const { last_seq } = await db.selectFrom("site").select("last_seq").executeTakeFirstOrThrow();
  const below = Math.min(range.below, last_seq + 1);
  const seqs: number[] = [];
  // The + takes the column's affinity off: with it SQLite compares in another way than its index does, and reads all of that.
  let block = Math.floor((below - 1) / BLOCK);
  const lastBlock = Math.floor(range.lowest / BLOCK);
  for (let size = FEWEST; block >= lastBlock && below > range.lowest; size = Math.min(MOST, size * 4)) {
    const from = Math.max(lastBlock, block - size + 1);
    const { rows } = await sql<{ seq: number }>`
      with recursive blocks(n) as (
        select cast(${block} as bigint) union all select n - 1 from blocks where n > ${from}
      )
      select e.seq from blocks cross join entries as e
      where (e.seq >> ${sql.lit(BLOCK_BITS)}) = +blocks.n
        and substr(e.sha256, ${sql.lit(1)}, ${sql.lit(DIGITS)}) >= ${known}
        and substr(e.sha256, ${sql.lit(1)}, ${sql.lit(DIGITS)}) < ${`${known}g`}`.execute(db);
    const found = rows.map(({ seq }) => seq).filter((seq) => seq < below && seq >= range.lowest);
    seqs.push(...found.sort((a, b) => b - a));
    block = from - 1;
    if (seqs.length >= range.limit && block >= lastBlock)
      return { seqs, downTo: Math.max(from * BLOCK, range.lowest) };
    await breathe();
  }
  return { seqs, downTo: undefined };
}
