/** What the first page of the console shows of arrivals, and the list of clients: answered out of memory, after one short look. */
import { setImmediate as breathe } from "node:timers/promises";
import { HOUR } from "../ledger/arrivals.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { DAY, DAYS_SHOWN, type FeedDays, Feeds } from "./feeds.ts";
import { CELLS, type Cell, cellOf, lateSince } from "./punctuality.ts";
import { habitOn } from "./rhythm.ts";
import { type Band, bandOf } from "./usual.ts";

const DAYS = 7;
const WEEK_HOURS = 7 * 24;
const WEEKS_BEFORE = 4;

export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

export interface Arrived extends Amount {
  /** ms since 1970 of the begin of each of the last 7 UTC days, today last. */
  readonly days: readonly (Amount & { readonly day: number })[];
}

export interface ArrivalHour {
  /** ms since 1970 of its begin. */
  readonly hour: number;
  readonly channels: Readonly<Record<string, Amount>>;
  /** Of the files in all, by the same hour of the four weeks before; undefined: too few of these are known. */
  readonly usual: Band | undefined;
}

export interface Activity {
  readonly today: Amount;
  /** Of the last 7 UTC days, today last. */
  readonly days: readonly Amount[];
  /** ms since 1970; undefined: nothing ever arrived. */
  readonly lastAt: number | undefined;
}

export interface PunctualityRow {
  readonly client: string;
  /** Undefined in a row of a whole client: the worst of its sources on each day. */
  readonly source: string | undefined;
  /** One for each of `days`. */
  readonly cells: readonly Cell[];
}

export interface Punctuality {
  /** ms since 1970 of the begin of each UTC day, today last. */
  readonly days: readonly number[];
  readonly rows: readonly PunctualityRow[];
  /** `after` of the next page. */
  readonly next: string | undefined;
}

export interface LateFeed {
  readonly client: string;
  readonly source: string;
  /** ms since 1970: until then it would usually have delivered. */
  readonly usualBy: number;
  readonly lastAt: number | undefined;
}

export interface ClientFeed {
  readonly source: string;
  /** ms since 1970; undefined: never. */
  readonly lastAt: number | undefined;
  /** The end of the hour by which it usually delivers, of today or of the next day on which that is usual; undefined: not known. */
  readonly usualBy: number | undefined;
  /** Files of each of the last 30 UTC days, today last. */
  readonly days: readonly number[];
}

/** `now`: ms since 1970. Who calls `catchUp` at the start spares the first who looks the reading of the weeks. */
export interface Overview {
  arrived(now: number): Promise<Arrived>;
  /** The last 7 days. */
  byHour(now: number): Promise<readonly ArrivalHour[]>;
  activity(clients: readonly string[], now: number): Promise<readonly Activity[]>;
  /** The last 30 days, worst first: rows of clients, or (`client`) of its sources. `after`: `next` of the page before. */
  punctuality(
    page: { readonly client?: string; readonly after?: string; readonly limit: number },
    now: number,
  ): Promise<Punctuality>;
  /** By name. */
  feeds(client: string, now: number): Promise<readonly ClientFeed[]>;
  /** The latest first. */
  lateFeeds(now: number): Promise<readonly LateFeed[]>;
  /** How many feeds there are, sources of which something ever arrived, but for those of `without`: clients. */
  count(now: number, without: ReadonlySet<string>): Promise<number>;
  catchUp(now: number): Promise<void>;
}

/** For one ledger, for as long as this process runs. */
export function createOverview(db: Database): Overview {
  let feeds: Feeds | undefined;
  let refreshing: Promise<Feeds> | undefined;
  const refresh = async (now: number): Promise<Feeds> => {
    const site = await named(() =>
      db.selectFrom("site").select(["epoch", "last_commit_at"]).where("id", "=", 1).executeTakeFirstOrThrow(),
    );
    let fresh = feeds;
    if (fresh?.epoch !== site.epoch || !fresh.reaches(site.last_commit_at, now)) {
      fresh = new Feeds(site.epoch, now);
      await fresh.list(db);
    }
    await fresh.refresh(db, site.last_commit_at, now);
    if (fresh !== feeds) await judgeDays(fresh, now);
    feeds = fresh;
    return fresh;
  };
  /** Who comes while another's look runs has its answer: it is some milliseconds old. */
  const look = (now: number): Promise<Feeds> => {
    refreshing ??= refresh(now).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  return {
    arrived: async (now) => arrivedOf(await look(now), now),
    byHour: async (now) => byHourOf(await look(now), now),
    activity: async (clients, now) => {
      const known = await look(now);
      return clients.map((client) => activityOf(known.of(client), now));
    },
    punctuality: async (page, now) => punctualityOf(await look(now), page, now),
    feeds: async (client, now) =>
      (await look(now))
        .of(client)
        .map((feed) => feedOf(feed, now))
        .sort((a, b) => (a.source < b.source ? -1 : 1)),
    lateFeeds: async (now) => lateOf(await look(now), now),
    count: async (now, without) => {
      const known = await look(now);
      return known.count() - sumOf(without, (client) => known.of(client).length);
    },
    catchUp: async (now) => void (await look(now)),
  };
}

function lastDays(now: number, count: number): number[] {
  const today = Math.floor(now / DAY);
  return Array.from({ length: count }, (_, i) => today - count + 1 + i);
}

const sumOf = (clients: Iterable<string>, of: (client: string) => number): number =>
  Iterator.from(clients).reduce((all, client) => all + of(client), 0);

function sum(amounts: Iterable<Amount>): Amount {
  let [files, bytes] = [0, 0];
  for (const amount of amounts) {
    files += amount.files;
    bytes += amount.bytes;
  }
  return { files, bytes };
}

function* hoursOf(feeds: Feeds, day: number): Generator<Amount> {
  for (let hour = 0; hour < 24; hour += 1) yield* feeds.sumsOf(day * DAY + hour * HOUR).values();
}

function arrivedOf(feeds: Feeds, now: number): Arrived {
  const days = lastDays(now, DAYS).map((day) => ({ day: day * DAY, ...sum(hoursOf(feeds, day)) }));
  const { files, bytes } = days.at(-1) as Amount;
  return { files, bytes, days };
}

function byHourOf(feeds: Feeds, now: number): readonly ArrivalHour[] {
  // There may be more feeds than a call takes arguments.
  let firstDay = Number.POSITIVE_INFINITY;
  for (const feed of feeds.all()) firstDay = Math.min(firstDay, feed.since);
  const since = firstDay * DAY;
  const current = now - (now % HOUR);
  return Array.from({ length: WEEK_HOURS }, (_, i) => {
    const hour = current - (WEEK_HOURS - 1 - i) * HOUR;
    const before: number[] = [];
    for (let week = 1; week <= WEEKS_BEFORE; week += 1) {
      const then = hour - week * WEEK_HOURS * HOUR;
      if (then >= since) before.push(sum(feeds.sumsOf(then).values()).files);
    }
    return { hour, channels: Object.fromEntries(feeds.sumsOf(hour)), usual: bandOf(before) };
  });
}

function activityOf(feeds: readonly FeedDays[], now: number): Activity {
  const days = lastDays(now, DAYS).map((day) => sum(feeds.map((feed) => feed.sumsOf(day))));
  const lastAt = feeds.reduce((last, feed) => Math.max(last, feed.lastAt ?? 0), 0);
  return { today: days.at(-1) as Amount, days, lastAt: lastAt === 0 ? undefined : lastAt };
}

/** In the first hours of a day what is usual late in the one before is still awaited. */
const AWAITED = CELLS.indexOf("awaited");

/** Place in CELLS. What was said of a day that is over is said again. */
function judge(feed: FeedDays, day: number, now: number, over: boolean): number {
  const kept = feed.judged[day % feed.judged.length] as number;
  if (kept > 0) return kept - 1;
  const cell = CELLS.indexOf(cellOf(day, feed.hoursOf(day), habitOn(day, feed), now));
  if (over && cell !== AWAITED) feed.judged[day % feed.judged.length] = cell + 1;
  return cell;
}

/** Once, day by day, so that nobody waits long for it. */
async function judgeDays(feeds: Feeds, now: number): Promise<void> {
  for (const day of lastDays(now, DAYS_SHOWN)) {
    for (const feed of feeds.all()) judge(feed, day, now, feeds.isOver(day));
    await breathe();
  }
}

/** Of CELLS, how bad. */
const WEIGHTS: readonly number[] = [3, 1, 0, 0, 0, 0, 0];

function punctualityOf(
  feeds: Feeds,
  { client, after, limit }: { readonly client?: string; readonly after?: string; readonly limit: number },
  now: number,
): Punctuality {
  const days = lastDays(now, DAYS_SHOWN);
  const groups: readonly (readonly [string, readonly FeedDays[]])[] =
    client === undefined
      ? Array.from(feeds.clients(), (name) => [name, feeds.of(name)])
      : feeds.of(client).map((feed) => [feed.source, [feed]]);
  const all = groups.map(([name, of]) => {
    let badness = 0;
    const worst = days.map((day) => {
      const over = feeds.isOver(day);
      let first = CELLS.length - 1;
      for (const feed of of) {
        const cell = judge(feed, day, now, over);
        badness += WEIGHTS[cell] as number;
        first = Math.min(first, cell);
      }
      return first;
    });
    return { name, badness, worst };
  });
  all.sort((a, b) => b.badness - a.badness || (a.name < b.name ? -1 : 1));
  const from = after === undefined ? 0 : all.findIndex(({ name }) => name === after) + 1;
  const page = all.slice(from, from + limit);
  return {
    days: days.map((day) => day * DAY),
    rows: page.map(({ name, worst }) => ({
      client: client ?? name,
      source: client === undefined ? undefined : name,
      cells: worst.map((cell) => CELLS[cell] as Cell),
    })),
    next: from + limit < all.length ? page.at(-1)?.name : undefined,
  };
}

function feedOf(feed: FeedDays, now: number): ClientFeed {
  const { source, lastAt } = feed;
  const today = Math.floor(now / DAY);
  const days = lastDays(now, DAYS_SHOWN).map((day) => feed.sumsOf(day).files);
  // In the places of days to come the ones of long ago are kept.
  const hoursOf = (day: number): number => (day > today ? 0 : feed.hoursOf(day));
  for (let day = today; day < today + DAYS; day += 1) {
    const habit = habitOn(day, { since: feed.since, hoursOf });
    if (habit.kind === "usual") return { source, lastAt, usualBy: day * DAY + (habit.by + 1) * HOUR, days };
  }
  return { source, lastAt, usualBy: undefined, days };
}

function lateOf(feeds: Feeds, now: number): readonly LateFeed[] {
  const late: LateFeed[] = [];
  for (const feed of feeds.all()) {
    const usualBy = lateSince(feed, now);
    if (usualBy === undefined) continue;
    late.push({ client: feed.client, source: feed.source, usualBy, lastAt: feed.lastAt });
  }
  return late.sort((a, b) => a.usualBy - b.usualBy || (a.client < b.client ? -1 : 1));
}
