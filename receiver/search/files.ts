/** Files by their names: what was typed is looked for in blocks of paths, newest first, for a bounded time in each call. */
import { setImmediate as breathe } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { chunks } from "../ledger/chunks.ts";
import { named } from "../ledger/database.ts";
import { candidateBlocks } from "./candidates.ts";
import { hasTerm, parseLine, type Term, termsOf } from "./fold.ts";
import { type FoundFile, newestOf } from "./newest.ts";
import type { SearchDatabase } from "./schema.ts";

export interface FileQuery {
  /** Each of its space-separated parts has to be in the path, where a word begins. */
  readonly text: string;
  readonly client?: string | undefined;
  /** With `client`. */
  readonly source?: string | undefined;
  /** The `next` of a page with the same query. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface FilePage {
  /** Newest paths first, roughly: by when a path first came, some hundred at a time. */
  readonly files: readonly FoundFile[];
  /** There may be more; also where nothing was found in the time that a call has. */
  readonly next: string | undefined;
  /** How much of all that may hold it was looked through so far, from 0 to 1. */
  readonly searched: number;
}

/** Blocks of one read: this process does nothing else meanwhile. */
const BLOCKS = 32;
/** A call goes on no longer than this, in ms. */
const WITHIN_MS = 80;

export async function searchFiles(
  db: SearchDatabase,
  query: FileQuery,
  withinMs: number = WITHIN_MS,
): Promise<FilePage> {
  const terms = termsOf(query.text);
  if (terms.length === 0) return { files: [], next: undefined, searched: 1 };
  const until = performance.now() + withinMs;
  const blocks = await openBlocks(db, query, await candidateBlocks(db, terms));
  const hits: Hit[] = [];
  let at = placeOf(query.after);
  for (;;) {
    const some = await blocks.from(at);
    for (const block of some) {
      const line = block.id === at.block ? at.line : undefined;
      hits.push(...hitsIn(block, terms, line, query.limit - hits.length));
      const last = hits.at(-1);
      if (hits.length === query.limit && last !== undefined)
        return pageOf(db, hits, { block: last.block, line: last.line }, blocks.share(block.id));
      at = { block: block.id, line: 0 };
    }
    if (some.length < BLOCKS) return pageOf(db, hits, undefined, 1);
    if (performance.now() >= until) return pageOf(db, hits, at, blocks.share(at.block));
    await breathe();
  }
}

async function pageOf(
  db: SearchDatabase,
  hits: readonly Hit[],
  at: Place | undefined,
  searched: number,
): Promise<FilePage> {
  const files = await newestOf(db, hits);
  return { files, next: at && `${at.block}.${at.line}`, searched };
}

/** Everything before it was looked at: blocks with a higher id, and lines of this block that are not before `line`. */
interface Place {
  readonly block: number;
  readonly line: number;
}

const BEGIN: Place = { block: Number.MAX_SAFE_INTEGER, line: 0 };

function placeOf(after: string | undefined): Place {
  if (after === undefined) return BEGIN;
  const [, block, line] = /^(\d{1,15})\.(\d{1,4})$/.exec(after) ?? [];
  if (block === undefined)
    throw new ProblemError(
      "request-invalid",
      `"${after.slice(0, 100)}" is no place in a search: begin it anew`,
    );
  return { block: Number(block), line: Number(line) };
}

interface Block {
  readonly id: number;
  readonly paths: string;
}

interface Blocks {
  /** The next ones, this one too where not all of it was looked at. */
  from(at: Place): Promise<readonly Block[]>;
  /** How much of all is behind this one. */
  share(id: number): number;
}

async function openBlocks(
  db: SearchDatabase,
  { client, source }: FileQuery,
  candidates: readonly number[] | undefined,
): Promise<Blocks> {
  const within = () => blocksWithin(db, client, source);
  if (candidates !== undefined) {
    const left = client === undefined ? candidates : await among(within, candidates);
    return {
      async from({ block, line }) {
        const begin = left.findIndex((id) => (line > 0 ? id <= block : id < block));
        if (begin === -1) return [];
        const some = left.slice(begin, begin + BLOCKS);
        return await named(() => within().select(["id", "paths"]).where("id", "in", some).execute());
      },
      share: (id) => (left.indexOf(id) + 1) / left.length,
    };
  }
  const newest = await named(() => within().select("id").limit(1).executeTakeFirst());
  return {
    from: ({ block, line }) =>
      named(() =>
        within()
          .select(["id", "paths"])
          .where("id", line > 0 ? "<=" : "<", block)
          .limit(BLOCKS)
          .execute(),
      ),
    share: (id) => (newest === undefined ? 1 : (newest.id - id) / newest.id),
  };
}

type Within = ReturnType<typeof blocksWithin>;

function blocksWithin(db: SearchDatabase, client: string | undefined, source: string | undefined) {
  let query = db.selectFrom("search_blocks").orderBy("id", "desc");
  if (client !== undefined) query = query.where("client", "=", client);
  if (client !== undefined && source !== undefined) query = query.where("source", "=", source);
  return query;
}

/** Those of the client or source, before any is read. */
async function among(within: () => Within, candidates: readonly number[]): Promise<readonly number[]> {
  const own: number[] = [];
  for (const some of chunks(candidates))
    own.push(
      ...(await named(() => within().select("id").where("id", "in", some).execute())).map(({ id }) => id),
    );
  return own;
}

interface Hit {
  readonly block: number;
  readonly line: number;
}

/** From the last line up, or from before `from`. */
function hitsIn(block: Block, terms: readonly Term[], from: number | undefined, limit: number): Hit[] {
  const { id, paths } = block;
  if (!terms.every(({ text }) => paths.includes(text))) return [];
  // The longest is in the fewest lines.
  const [longest] = terms.toSorted((a, b) => b.text.length - a.text.length) as [Term];
  const hits: Hit[] = [];
  let end = from === undefined ? paths.length : startOf(paths, from);
  while (end > 0 && hits.length < limit) {
    const found = paths.lastIndexOf(longest.text, end - 1);
    if (found === -1) break;
    const start = paths.lastIndexOf("\n", found) + 1;
    const path = parseLine(paths.slice(start, paths.indexOf("\n", found)));
    if (terms.every((term) => hasTerm(path, term))) hits.push({ block: id, line: lineAt(paths, start) });
    end = start - 1;
  }
  return hits;
}

/** Where this line begins. */
function startOf(paths: string, line: number): number {
  let at = 0;
  for (let i = 0; i < line && at < paths.length; i += 1) at = paths.indexOf("\n", at) + 1;
  return at;
}

function lineAt(paths: string, start: number): number {
  let count = 0;
  for (let at = paths.indexOf("\n"); at !== -1 && at < start; at = paths.indexOf("\n", at + 1)) count += 1;
  return count;
}
