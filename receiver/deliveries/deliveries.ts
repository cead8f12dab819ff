/**
 * What came in, newest first, under any filters. Every answer is a bounded piece of work however many entries there are:
 * the sparsest of the indexes that fit leads (`leads.ts`), rows are looked at a few hundred at a time, and when the budget ends
 * before the page is full, the answer says how far it looked and where to go on.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { sql } from "kysely";
import { type Bringer, bringersOf } from "../ledger/bringers.ts";
import { named } from "../ledger/database.ts";
import { instantOf } from "../ledger/entry.ts";
import type { Database } from "../ledger/schema.ts";
import { type Condition, type Filter, type Found, narrow, seqsBelow } from "./leads.ts";

export interface DeliveriesQuery extends Filter {
  /** Only entries whose seq is lower: `next` of an answer. */
  readonly before?: number;
  /** Only entries whose seq is higher: what is new since a page was shown. */
  readonly after?: number;
  readonly limit: number;
}

export interface Delivery {
  readonly seq: number;
  readonly versionId: string;
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  /** For reading; `pathEncoded` is which file it is. */
  readonly path: string;
  readonly pathEncoded: string;
  readonly size: number | null;
  readonly sha256: string | null;
  readonly channel: string;
  readonly bearer: Bringer;
  /** RFC 3339, as the two below. */
  readonly receivedAt: string;
  readonly modifiedAt: string | null;
  readonly sealedAt: string | null;
}

export interface Deliveries {
  readonly deliveries: readonly Delivery[];
  /** `before` of the next call; undefined when there is nothing older. */
  readonly next: number | undefined;
  /** RFC 3339: what came before it was not looked at yet. Given when the budget ended before the page was full. */
  readonly searchedTo: string | undefined;
}

/** What one call may take: whichever ends first. `now` in ms, from any begin. */
export interface Budget {
  readonly rows: number;
  readonly ms: number;
  readonly now: () => number;
}

const BUDGET: Budget = { rows: 6000, ms: 70, now: () => performance.now() };
/** Looked at in one statement: each is a place of its own on the disk, and SQLite holds up everything meanwhile. */
const ROWS = 250;

/** One page. Throws `request-invalid` where `sha256Prefix` is too short to find anything by. */
export async function listDeliveries(
  db: Database,
  query: DeliveriesQuery,
  budget: Budget = BUDGET,
): Promise<Deliveries> {
  return await named(async () => {
    const { rows, next, full } = await search(db, query, budget);
    const bearers = await bringersOf(
      db,
      rows.map((row) => row.bearer),
    );
    return {
      deliveries: rows.map((row) => deliveryOf(row, bearers)),
      next,
      searchedTo: next === undefined || full ? undefined : await timeOf(db, next),
    };
  });
}

/** How many came since `after`, at most so many: "12 new", or with `more` "100+ new". */
export async function countNewer(
  db: Database,
  query: Omit<DeliveriesQuery, "limit" | "before"> & { readonly after: number },
  most = 100,
  budget: Budget = BUDGET,
): Promise<{ readonly count: number; readonly more: boolean }> {
  const { rows, next } = await named(() => search(db, { ...query, limit: most }, budget));
  return { count: rows.length, more: next !== undefined };
}

interface Row extends Omit<Delivery, "bearer" | "receivedAt" | "path"> {
  readonly bearer: string;
  readonly receivedAt: number;
}

interface Searched {
  readonly rows: readonly Row[];
  readonly next: number | undefined;
  readonly full: boolean;
}

async function search(db: Database, query: DeliveriesQuery, budget: Budget): Promise<Searched> {
  const narrowed = await narrow(db, query);
  const ended = { rows: [], next: undefined, full: false };
  if (narrowed === undefined) return ended;
  const { leads, rest, lowest } = narrowed;
  const rows: Row[] = [];
  const until = budget.now() + budget.ms;
  let below = Math.min(query.before ?? Number.MAX_SAFE_INTEGER, narrowed.below);
  let left = budget.rows;
  for (;;) {
    const found = await Promise.all(leads.map((lead) => seqsBelow(db, lead, { below, lowest })));
    const { candidates, below: next } = meet(found);
    let from = 0;
    // What a page lacks, at first: mostly all that an index leads to is shown.
    let size = Math.min(ROWS, query.limit + 1 - rows.length);
    while (from < candidates.length) {
      const some = candidates.slice(from, from + size);
      rows.push(...(await rowsOf(db, some, rest)));
      from += some.length;
      left -= some.length;
      size = ROWS;
      if (rows.length > query.limit) {
        const page = rows.slice(0, query.limit);
        return { rows: page, next: page.at(-1)?.seq, full: true };
      }
      if (left <= 0 || budget.now() > until) {
        const looked = from < candidates.length ? some.at(-1) : next;
        return { rows, next: looked, full: rows.length === query.limit };
      }
    }
    if (next === undefined) return { ...ended, rows };
    below = next;
    // SQLite answers in the same breath: others have theirs between two looks.
    await breathe();
    if (budget.now() > until) return { rows, next, full: false };
  }
}

/**
 * Of what several indexes lead to below one place: what may stand in all of them, newest first, and below which place to look
 * next (undefined: nothing is left). The sparsest leads; others only show how far down the next common one is at most, and
 * rule out what they would have had.
 */
export function meet(found: readonly Found[]): {
  readonly candidates: readonly number[];
  readonly below: number | undefined;
} {
  const reach = ({ downTo }: Found): number => downTo ?? -1;
  const sparsest = found.reduce((best, one) =>
    reach(one) < reach(best) || (reach(one) === reach(best) && one.seqs.length < best.seqs.length)
      ? one
      : best,
  );
  const top = Math.min(...found.map(({ seqs }) => seqs[0] ?? -1));
  const others = found
    .filter((one) => one !== sparsest)
    .map((one) => ({ from: reach(one), seqs: new Set(one.seqs) }));
  const candidates = sparsest.seqs.filter(
    (seq) => seq <= top && others.every(({ from, seqs }) => seq < from || seqs.has(seq)),
  );
  const { downTo } = sparsest;
  const ended = downTo === undefined || top < 0;
  return { candidates, below: ended ? undefined : Math.min(downTo, top + 1) };
}

/** The inner limit keeps the conditions out: with them SQLite would look for each seq of each client in another index. */
async function rowsOf(
  db: Database,
  seqs: readonly number[],
  rest: readonly Condition[],
): Promise<readonly Row[]> {
  const some = db
    .selectFrom("entries")
    .select(["seq", "version_id", "kind", "client", "source", "path_encoded", "size", "sha256"])
    .select(["channel", "bearer", "received_at", "modified_at", "sealed_at"])
    .where("seq", "in", seqs)
    .orderBy("seq", "desc")
    .limit(sql.lit(seqs.length))
    .as("e");
  let rows = db
    .selectFrom(some)
    .select(["seq", "version_id as versionId", "kind", "client", "source", "path_encoded as pathEncoded"])
    .select(["size", "sha256", "channel", "bearer", "received_at as receivedAt"])
    .select(["modified_at as modifiedAt", "sealed_at as sealedAt"]);
  for (const condition of rest) rows = rows.where(condition);
  return [...(await rows.execute())].sort((a, b) => b.seq - a.seq);
}

/** Of the oldest entry that was looked at. */
async function timeOf(db: Database, seq: number): Promise<string | undefined> {
  const row = await db
    .selectFrom("entries")
    .select("received_at")
    .where("seq", ">=", seq)
    .orderBy("seq")
    .limit(sql.lit(1))
    .executeTakeFirst();
  return row && instantOf(row.received_at);
}

function deliveryOf(row: Row, bearers: ReadonlyMap<string, Bringer>): Delivery {
  return {
    ...row,
    path: displayPath(decodePath(row.pathEncoded)),
    bearer: bearers.get(row.bearer) ?? { kind: "gone", id: row.bearer, name: null },
    receivedAt: instantOf(row.receivedAt),
  };
}
