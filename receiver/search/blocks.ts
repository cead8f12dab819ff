/**
 * Paths in blocks: each path that ever came stands once, in a block of its source, and each word of a block once beside it.
 * So what most paths share costs a row in some hundred paths, and reading all of a block is reading one row.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { sql } from "kysely";
import { chunks } from "../ledger/chunks.ts";
import { foldedPath, lineOf, wordsOf } from "./fold.ts";
import type { SearchDatabase } from "./schema.ts";

/** Paths of a block, and bytes of them, beyond which another begins. */
const BLOCK_PATHS = 256;
const BLOCK_SIZE = 16 * 1024;

/** A path that came for the first time. */
export interface NewPath {
  readonly seq: number;
  readonly client: string;
  readonly source: string;
  readonly path_encoded: string;
}

/** What one block gets. */
interface Addition {
  readonly client: string;
  readonly source: string;
  /** Undefined: it is a new one. */
  id: number | undefined;
  count: number;
  size: number;
  readonly firsts: number[];
  readonly lines: string[];
  readonly words: Set<string>;
}

/** In the transaction that holds the search's place. */
export async function addPaths(trx: SearchDatabase, paths: readonly NewPath[]): Promise<void> {
  const additions: Addition[] = [];
  for (const some of Map.groupBy(paths, ({ client, source }) => `${client}/${source}`).values()) {
    // Statements of SQLite answer at once: others of this process have their turn between them.
    await breathe();
    additions.push(...(await additionsOf(trx, some)));
  }
  await putBlocks(trx, additions);
  const words = additions.flatMap(({ id, words }) => [...words].map((word) => [word, id as number] as const));
  for (const some of chunks(words, WORDS)) {
    await breathe();
    await sql`
      insert into search_words (word, block) values ${sql.join(some.map(([word, id]) => sql`(${word}, ${sql.lit(id)})`))}
      on conflict do nothing`.execute(trx);
  }
}

/** Rows of one statement. */
const WORDS = 500;

/** Of one source: into its newest block as long as that has room. */
async function additionsOf(trx: SearchDatabase, paths: readonly NewPath[]): Promise<readonly Addition[]> {
  const { client, source } = paths[0] as NewPath;
  const open = await trx
    .selectFrom("search_blocks")
    .select(["id", "count", "size"])
    .where("client", "=", client)
    .where("source", "=", source)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  const fresh = (): Addition => ({
    ...{ client, source, id: undefined, count: 0, size: 0 },
    ...{ firsts: [], lines: [], words: new Set<string>() },
  });
  let addition: Addition = { ...fresh(), ...open };
  const additions = [addition];
  for (const { seq, path_encoded } of paths) {
    if (addition.count >= BLOCK_PATHS || addition.size >= BLOCK_SIZE) {
      addition = fresh();
      additions.push(addition);
    }
    const path = foldedPath(path_encoded);
    const line = lineOf(path);
    wordsOf(path, addition.words);
    addition.lines.push(line);
    addition.firsts.push(seq);
    addition.count += 1;
    addition.size += Buffer.byteLength(line) + 1;
  }
  return additions.filter(({ lines }) => lines.length > 0);
}

async function putBlocks(trx: SearchDatabase, additions: readonly Addition[]): Promise<void> {
  const newest = await trx
    .selectFrom("search_blocks")
    .select((eb) => eb.fn.max("id").as("id"))
    .executeTakeFirst();
  let last = newest?.id ?? 0;
  for (const addition of additions) {
    const { id, client, source, count, size, firsts, lines } = addition;
    const [more, text] = [`${firsts.join(",")},`, `${lines.join("\n")}\n`];
    await breathe();
    if (id === undefined) {
      addition.id = ++last;
      await trx
        .insertInto("search_blocks")
        .values({ id: addition.id, client, source, count, size, firsts: more, paths: text })
        .execute();
    } else
      await trx
        .updateTable("search_blocks")
        .set({ count, size, firsts: sql`firsts || ${more}`, paths: sql`paths || ${text}` })
        .where("id", "=", id)
        .execute();
  }
}
