/**
 * What each feed delivered in the last weeks, by day, in this process's memory: what was counted for an hour never changes once
 * a later hour has begun in the ledger, so each refresh reads the hours from the last one that was open. With a thousand
 * clients that is some thousand rows; the first refresh reads the weeks, a day at a time.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { sql } from "kysely";
import { type ArrivalsRow, HOUR, withArrivals } from "../ledger/arrivals.ts";
import { chunks } from "../ledger/chunks.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import type { Feed } from "./punctuality.ts";

export const DAY = 24 * HOUR;
/** A grid of 30 days, the first of which is judged by the four weeks before it. */
export const DAYS_SHOWN = 30;
const DAYS_KEPT = DAYS_SHOWN + 28;
/** A power of two that holds them, so that a day has a place by its last bits. */
const RING = 64;

interface Sums {
  files: number;
  bytes: number;
}

const NOTHING: Sums = { files: 0, bytes: 0 };

/** One source of one client. */
export class FeedDays implements Feed {
  readonly client: string;
  readonly source: string;
  since: number;
  lastAt: number | undefined;
  readonly #hours = new Uint32Array(RING);
  readonly #files = new Float64Array(RING);
  readonly #bytes = new Float64Array(RING);
  /** What was judged of days that are over, by an order of its owner's; 0: nothing yet. */
  readonly judged = new Uint8Array(RING);
  readonly #open = { day: -1, hours: 0, files: 0, bytes: 0 };

  constructor(client: string, source: string, since: number) {
    this.client = client;
    this.source = source;
    this.since = since;
  }

  /** Bound: it is handed on as a plain function. */
  readonly hoursOf = (day: number): number =>
    (this.#hours[day % RING] as number) | (day === this.#open.day ? this.#open.hours : 0);

  sumsOf(day: number): Readonly<Sums> {
    const open = day === this.#open.day ? this.#open : NOTHING;
    return {
      files: (this.#files[day % RING] as number) + open.files,
      bytes: (this.#bytes[day % RING] as number) + open.bytes,
    };
  }

  add(day: number, hours: number, { files, bytes }: Sums, lastAt: number | null): void {
    const at = day % RING;
    this.#hours[at] = (this.#hours[at] as number) | hours;
    this.#files[at] = (this.#files[at] as number) + files;
    this.#bytes[at] = (this.#bytes[at] as number) + bytes;
    this.#arrived(lastAt);
  }

  /** What the hour that is still counted has so far. */
  addOpen(day: number, hours: number, { files, bytes }: Sums, lastAt: number | null): void {
    this.#open.day = day;
    this.#open.hours |= hours;
    this.#open.files += files;
    this.#open.bytes += bytes;
    this.#arrived(lastAt);
  }

  closeOpen(): void {
    Object.assign(this.#open, { day: -1, hours: 0, files: 0, bytes: 0 });
  }

  /** A day begins whose place another had. */
  clear(day: number): void {
    const at = day % RING;
    for (const column of [this.#hours, this.#files, this.#bytes, this.judged]) column[at] = 0;
  }

  #arrived(lastAt: number | null): void {
    if (lastAt !== null) this.lastAt = Math.max(this.lastAt ?? 0, lastAt);
  }
}

/** What came in an hour through each channel. */
export type HourSums = ReadonlyMap<string, Readonly<Sums>>;

/** All feeds, as one ledger has them. */
export class Feeds {
  readonly epoch: string;
  readonly #byKey = new Map<string, FeedDays>();
  readonly #byClient = new Map<string, FeedDays[]>();
  readonly #hours = new Map<number, Map<string, Sums>>();
  /** Begin of the hour that is still counted; all before it are here for good. */
  #openHour: number;
  #openSums = new Map<string, Sums>();
  #lastDay: number;
  #lastCommitAt = -1;

  constructor(epoch: string, now: number) {
    this.epoch = epoch;
    this.#lastDay = Math.floor(now / DAY);
    this.#openHour = (this.#lastDay - DAYS_KEPT + 1) * DAY;
  }

  all(): Iterable<FeedDays> {
    return this.#byKey.values();
  }

  count(): number {
    return this.#byKey.size;
  }

  of(client: string): readonly FeedDays[] {
    return this.#byClient.get(client) ?? [];
  }

  clients(): Iterable<string> {
    return this.#byClient.keys();
  }

  /** `hour`: ms since 1970 of its begin. */
  sumsOf(hour: number): HourSums {
    return (hour === this.#openHour ? this.#openSums : this.#hours.get(hour)) ?? new Map();
  }

  /** Once, before the first refresh: every feed there ever was, since when, and when it delivered last. */
  async list(db: Database): Promise<void> {
    const clients = await named(() => db.selectFrom("clients").select("name").execute());
    for (const some of chunks(clients, CLIENTS)) {
      const names = some.map(({ name }) => name);
      for (const { client, source, first, last } of await feedsOf(db, names)) {
        const feed = this.#feed(client, source, Math.floor(first / DAY));
        if (last !== null) feed.lastAt = last;
      }
      await breathe();
    }
  }

  /** Whether nothing of that day can come any more. */
  isOver(day: number): boolean {
    return (day + 1) * DAY <= this.#openHour;
  }

  /** Whether it still knows the days that are to be shown, once it is refreshed: nobody may have looked for weeks. */
  reaches(lastCommitAt: number, now: number): boolean {
    return (
      lastCommitAt === this.#lastCommitAt || this.#openHour >= (Math.floor(now / DAY) - DAYS_KEPT + 1) * DAY
    );
  }

  /** Up to what was committed by `lastCommitAt`, in ms since 1970. What fails is done again by the next one, from where it stood. */
  async refresh(db: Database, lastCommitAt: number, now: number): Promise<void> {
    this.#turnTo(Math.floor(now / DAY));
    if (lastCommitAt === this.#lastCommitAt) return;
    const open = lastCommitAt - (lastCommitAt % HOUR);
    for (let day = this.#openHour / DAY; Number.isInteger(day) && (day + 1) * DAY <= open; day += 1) {
      const [days, channels] = [await dayOf(db, day), await channelsOf(db, day)];
      this.#turnTo(day);
      for (const row of days)
        this.#feed(row.client, row.source, day).add(day, row.hours ?? 0, row, row.last_at);
      for (const row of channels) addTo(this.#hour(row.hour), row);
      this.#openHour = (day + 1) * DAY;
      await breathe();
    }
    const rows: ArrivalsRow[] = [];
    for (let from = this.#openHour; from <= open; from += 3 * HOUR)
      for (const row of await rowsOf(db, from, Math.min(from + 3 * HOUR, open + HOUR))) rows.push(row);
    this.#reopen(open);
    for (const row of rows) this.#take(row, open);
    this.#openHour = Math.max(open, this.#openHour);
    this.#lastCommitAt = lastCommitAt;
  }

  #reopen(open: number): void {
    for (const feed of this.#byKey.values()) feed.closeOpen();
    this.#openSums = new Map();
    this.#turnTo(Math.floor(open / DAY));
  }

  #take(row: ArrivalsRow, open: number): void {
    const day = Math.floor(row.hour / DAY);
    const feed = this.#feed(row.client, row.source, day);
    const hours = row.files > 0 ? 1 << ((row.hour / HOUR) % 24) : 0;
    if (row.hour === open) feed.addOpen(day, hours, row, row.last_at);
    else feed.add(day, hours, row, row.last_at);
    addTo(row.hour === open ? this.#openSums : this.#hour(row.hour), row);
  }

  #turnTo(day: number): void {
    for (; this.#lastDay < day; this.#lastDay += 1) {
      const next = this.#lastDay + 1;
      for (const feed of this.#byKey.values()) feed.clear(next);
      for (let hour = 0; hour < 24; hour += 1) this.#hours.delete((next - RING) * DAY + hour * HOUR);
    }
  }

  #hour(hour: number): Map<string, Sums> {
    const sums = this.#hours.get(hour) ?? new Map<string, Sums>();
    this.#hours.set(hour, sums);
    return sums;
  }

  #feed(client: string, source: string, since: number): FeedDays {
    const key = `${client}/${source}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const feed = new FeedDays(client, source, since);
    this.#byKey.set(key, feed);
    const others = this.#byClient.get(client);
    if (others === undefined) this.#byClient.set(client, [feed]);
    else others.push(feed);
    return feed;
  }
}

function addTo(
  sums: Map<string, Sums>,
  { channel, files, bytes }: Pick<ArrivalsRow, "channel" | "files" | "bytes">,
): void {
  const before = sums.get(channel) ?? { files: 0, bytes: 0 };
  sums.set(channel, { files: before.files + files, bytes: before.bytes + bytes });
}

/** Whose feeds are asked for in one statement. */
const CLIENTS = 50;

interface Listed {
  readonly client: string;
  readonly source: string;
  readonly first: number;
  readonly last: number | null;
}

/** Of the next clients: from one source to the next through the index, however many hours each has. */
async function feedsOf(db: Database, clients: readonly string[]): Promise<Listed[]> {
  const { rows } = await named(() =>
    sql<Listed>`
      with recursive f(client, source) as (
        select name, (select min(source) from arrivals where client = clients.name)
        from clients where name in (${sql.join(clients)})
        union all
        select f.client,
          (select min(a.source) from arrivals as a where a.client = f.client and a.source > f.source)
        from f where f.source is not null
      )
      select client, source,
        (select min(hour) from arrivals as a where a.client = f.client and a.source = f.source) as first,
        (select last_at from arrivals as a where a.client = f.client and a.source = f.source and last_at is not null
          order by hour desc limit 1) as last
      from f where source is not null`.execute(db),
  );
  return rows;
}

/** Of a day that is over. Powers of two that are distinct add up to their bits. */
async function dayOf(db: Database, day: number) {
  const { rows } = await named(() =>
    sql<Sums & { client: string; source: string; hours: number | null; last_at: number | null }>`
      select client, source, cast(sum(files) as bigint) as files, cast(sum(bytes) as bigint) as bytes,
        max(last_at) as last_at, cast(sum(distinct case when files > 0 then
          1 << cast(hour / ${sql.lit(HOUR)} % 24 as integer) end) as bigint) as hours
      from arrivals where hour >= ${day * DAY} and hour < ${(day + 1) * DAY} group by client, source`.execute(
      db,
    ),
  );
  return rows;
}

async function channelsOf(db: Database, day: number) {
  const { rows } = await named(() =>
    sql<Sums & { hour: number; channel: string }>`
      select hour, channel, cast(sum(files) as bigint) as files, cast(sum(bytes) as bigint) as bytes
      from arrivals where hour >= ${day * DAY} and hour < ${(day + 1) * DAY} group by hour, channel`.execute(
      db,
    ),
  );
  return rows;
}

async function rowsOf(db: Database, from: number, to: number): Promise<ArrivalsRow[]> {
  const rows = withArrivals(db)
    .selectFrom("arrivals")
    .selectAll()
    .where("hour", ">=", from)
    .where("hour", "<", to);
  return await named(() => rows.execute());
}
