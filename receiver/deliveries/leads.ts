/**
 * The indexes that a filter can be answered by. Each gives the seqs of what it holds, newest first, out of the index alone; what
 * no index knows is asked of the rows. So neither database chooses: each statement has one way to be run.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { type RawBuilder, sql } from "kysely";
import { sourcesOf } from "../ledger/arrivals.ts";
import { requireDigest, seqsWithDigest } from "../ledger/digests.ts";
import type { Database } from "../ledger/schema.ts";

export interface Filter {
  /** Undefined: all. */
  readonly clients?: readonly string[];
  readonly source?: string;
  readonly channel?: string;
  /** Id of an agent, key or account. */
  readonly bearer?: string;
  readonly kind?: "version" | "removal";
  /** ms since 1970: received then or later; received before. */
  readonly from?: number;
  readonly to?: number;
  /** The first 8 to 64 digits, in lower case. */
  readonly sha256Prefix?: string;
}

export type Condition = RawBuilder<boolean>;
/** All that is equal in an index that goes on by seq. */
type Stream = readonly Condition[];
/** What stands in any of these streams; or has a digest that begins so. */
export type Lead =
  | { readonly kind: "streams"; readonly streams: readonly Stream[] }
  | { readonly kind: "digest"; readonly prefix: string };

export interface Found {
  /** Descending. */
  readonly seqs: readonly number[];
  /** Down to this one there is nothing else; undefined: nor below. */
  readonly downTo: number | undefined;
}

export interface Narrowed {
  /** At least one. */
  readonly leads: readonly Lead[];
  readonly rest: readonly Condition[];
  /** Of seqs: at least `lowest`, and below `below`. */
  readonly lowest: number;
  readonly below: number;
}

/** Out of an index alone so many cost less than a few rows. */
const SEQS = 500;
/** Of that many clients each is looked for on its own; of more, any entry is looked at. */
const STREAMS = 32;

/** Undefined: nothing can match. */
export async function narrow(
  db: Database,
  filter: Filter & { readonly after?: number },
): Promise<Narrowed | undefined> {
  const { clients, source, channel, bearer, kind, sha256Prefix: prefix } = filter;
  if (clients?.length === 0) return undefined;
  const leads: Lead[] = [];
  const rest: Condition[] = [];
  const owners = source === undefined ? clients : await withSource(db, source, clients);
  if (owners?.length === 0) return undefined;
  const removed = kind === "removal" ? [sql<boolean>`kind = ${sql.lit("removal")}`] : [];
  if (owners !== undefined && owners.length <= STREAMS) {
    const feeds = await feedsThrough(db, owners, { source, channel });
    if (feeds?.length === 0) return undefined;
    leads.push(
      streams(
        feeds?.map((feed) => [ofFeed(feed.client, feed.source)]) ??
          owners.map((client) => [
            source === undefined ? sql<boolean>`client = ${client}` : ofFeed(client, source),
          ]),
      ),
    );
    if (removed.length > 0)
      leads.push(streams(owners.map((client) => [sql<boolean>`client = ${client}`, ...removed])));
  } else if (removed.length > 0) leads.push(streams([removed]));
  if (clients !== undefined) rest.push(sql`client in (${sql.join(clients)})`);
  if (source !== undefined) rest.push(sql`source = ${source}`);
  if (channel !== undefined) {
    leads.push(streams([[sql`channel = ${channel}`]]));
    rest.push(sql`channel = ${channel}`);
  }
  if (bearer !== undefined) {
    leads.push(streams([[sql`bearer = ${bearer}`]]));
    rest.push(sql`bearer = ${bearer}`);
  }
  if (kind !== undefined) rest.push(sql`kind = ${kind}`);
  if (prefix !== undefined) {
    requireDigest(prefix);
    leads.push({ kind: "digest", prefix });
    rest.push(sql`substr(sha256, 1, ${sql.lit(prefix.length)}) = ${prefix}`);
  }
  const bounds = await boundsOf(db, filter);
  if (bounds === undefined) return undefined;
  if (filter.from !== undefined) rest.push(sql`received_at >= ${filter.from}`);
  if (filter.to !== undefined) rest.push(sql`received_at < ${filter.to}`);
  return { leads: leads.length === 0 ? [streams([[]])] : leads, rest, ...bounds };
}

/** As the index has it. */
function ofFeed(client: string, source: string): Condition {
  return sql`(client || ${sql.lit("/")} || source) = ${`${client}/${source}`}`;
}

function streams(of: readonly Stream[]): Lead {
  return { kind: "streams", streams: of };
}

/** What a lead has next below a place. */
export async function seqsBelow(
  db: Database,
  lead: Lead,
  { below, lowest }: { readonly below: number; readonly lowest: number },
): Promise<Found> {
  if (lead.kind === "digest")
    return await seqsWithDigest(db, lead.prefix, { below, lowest, limit: SEQS }, breathe);
  const most = Math.max(20, Math.floor(SEQS / lead.streams.length));
  const parts = lead.streams.map((stream, i) => {
    // Of a lower bound, too, PostgreSQL would guess that little is left, and sort all of it.
    const conditions = [...stream, sql`seq < ${below}`];
    const seqs = sql`select seq from entries where ${sql.join(conditions, sql` and `)}
      order by seq desc limit ${sql.lit(most)}`;
    return sql`select ${sql.lit(i)} as stream, seq from (${seqs}) as s${sql.lit(i)}`;
  });
  const { rows } = await sql<{ stream: number; seq: number }>`${sql.join(parts, sql` union all `)}`.execute(
    db,
  );
  return merge(rows, most, lowest);
}

/** What streams gave, down to where the first of them that gave all it may stops, and to `lowest`. */
export function merge(
  rows: readonly { readonly stream: number; readonly seq: number }[],
  most: number,
  lowest: number,
): Found {
  const counts = new Map<number, { count: number; last: number }>();
  for (const { stream, seq } of rows) {
    const before = counts.get(stream);
    counts.set(stream, { count: (before?.count ?? 0) + 1, last: Math.min(before?.last ?? seq, seq) });
  }
  let downTo: number | undefined;
  for (const { count, last } of counts.values())
    if (count === most && last > lowest) downTo = Math.max(downTo ?? last, last);
  const seqs = rows.map(({ seq }) => seq).filter((seq) => seq >= (downTo ?? lowest));
  return { seqs: seqs.sort((a, b) => b - a), downTo };
}

/**
 * The clients that ever sent something from a source of that name, of these or of all. The next source from there on is looked for: of the
 * source itself, where many have it, PostgreSQL would try its luck with any rows.
 */
async function withSource(
  db: Database,
  source: string,
  clients: readonly string[] | undefined,
): Promise<readonly string[]> {
  const among = clients === undefined ? sql`` : sql`and name in (${sql.join(clients)})`;
  const { rows } = await sql<{ name: string }>`
    select name from clients where (
      select min(source) from arrivals where arrivals.client = clients.name and arrivals.source >= ${source}
    ) = ${source} ${among}`.execute(db);
  return rows.map(({ name }) => name);
}

/** Few clients have few sources: to ask each costs less than to look at what came another way. */
const ASKED_CLIENTS = 5;
/** Hours with arrivals that are looked through for a channel. */
const ASKED_HOURS = 10_000;

/**
 * The sources of these clients that anything came from through this channel: mostly a source has one. Undefined: that is not
 * asked for, or would take too long. Of one with a long history only what is new is known: it is taken to be among them.
 */
async function feedsThrough(
  db: Database,
  clients: readonly string[],
  { source, channel }: { readonly source: string | undefined; readonly channel: string | undefined },
): Promise<readonly { readonly client: string; readonly source: string }[] | undefined> {
  if (channel === undefined || clients.length > ASKED_CLIENTS) return undefined;
  const feeds: { client: string; source: string }[] = [];
  for (const client of clients)
    for (const one of source === undefined ? await sourcesOf(db, client) : [source]) {
      const { rows } = await sql<{ hours: number; found: number | null }>`
        select count(*) as hours, max(case when channel = ${channel} then 1 end) as found from (
          select channel from arrivals where client = ${client} and source = ${one}
          order by hour desc limit ${sql.lit(ASKED_HOURS)}
        ) as newest`.execute(db);
      if (rows[0]?.found === 1 || rows[0]?.hours === ASKED_HOURS) feeds.push({ client, source: one });
    }
  return feeds.length <= STREAMS ? feeds : undefined;
}

/**
 * Between which seqs the times are. Entries are in the order of their times, but those that `rebuild --merge` had to number
 * anew: under bounds of time these are found only where others of their time lead to them.
 */
async function boundsOf(
  db: Database,
  { from, to, after }: Filter & { readonly after?: number },
): Promise<Pick<Narrowed, "lowest" | "below"> | undefined> {
  let lowest = (after ?? 0) + 1;
  let below = Number.MAX_SAFE_INTEGER;
  if (from !== undefined) {
    const { rows } = await sql<{ seq: number }>`
      select seq from entries where received_at >= ${from} order by received_at, seq limit ${sql.lit(1)}`.execute(
      db,
    );
    if (rows[0] === undefined) return undefined;
    lowest = Math.max(lowest, rows[0].seq);
  }
  if (to !== undefined) {
    const { rows } = await sql<{ seq: number }>`
      select seq from entries where received_at < ${to}
      order by received_at desc, seq desc limit ${sql.lit(1)}`.execute(db);
    if (rows[0] === undefined) return undefined;
    below = rows[0].seq + 1;
  }
  return below > lowest ? { lowest, below } : undefined;
}
