/**
 * `console.ts sqlite FILE|postgres URL [ROUNDS]`: how long what the console reads of arrivals takes, over a ledger that
 * console-data.ts filled. Each line: many choices of parameters, and how long SQLite held up the event loop at most.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { countNewer, type DeliveriesQuery, listDeliveries } from "../receiver/deliveries/deliveries.ts";
import type { LedgerDatabase } from "../receiver/ledger/database.ts";
import { openPostgres } from "../receiver/ledger/postgres.ts";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { clientWeek } from "../receiver/overview/client.ts";
import { createOverview } from "../receiver/overview/overview.ts";
import { type Plan, planSite, randomOf } from "./console-plan.ts";

const HOUR = 3_600_000;
const SEED = 7;

export interface Measured {
  readonly name: string;
  /** ms of each call. */
  readonly taken: readonly number[];
  /** ms of this process's processor in each. */
  readonly worked: readonly number[];
  /** ms that the event loop stood still at most. */
  readonly stood: number;
  /** What calls gave on average: lines of a page and the like. */
  readonly lines: number;
}

type Filters = Omit<DeliveriesQuery, "limit">;

/** `clients`: so many were planned when the ledger was filled. */
export async function measureConsole(
  { db }: Pick<LedgerDatabase, "db">,
  clients: number,
  now: number,
  rounds: number,
): Promise<readonly Measured[]> {
  const plan = planSite(clients, SEED);
  const random = randomOf(11);
  const results: Measured[] = [];
  const measure = async (name: string, times: number, work: () => Promise<number>): Promise<void> => {
    const taken: number[] = [];
    const worked: number[] = [];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let lines = 0;
    delay.enable();
    for (let i = 0; i < times; i += 1) {
      const from = performance.now();
      const before = process.cpuUsage();
      lines += await work();
      taken.push(performance.now() - from);
      const { user, system } = process.cpuUsage(before);
      worked.push((user + system) / 1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    delay.disable();
    results.push({ name, taken, worked, stood: delay.max / 1e6, lines: lines / times });
  };
  const list = (name: string, filters: () => Filters): Promise<void> =>
    measure(name, rounds, async () => {
      const query = { ...filters(), limit: 100 };
      return (await listDeliveries(db, query)).deliveries.length;
    });

  const overview = createOverview(db);
  await measure("overview: first look after the start", 1, async () => {
    await overview.catchUp(now);
    return 0;
  });
  await measure("overview: all of it, first", 1, () => all(overview, now));
  await measure("overview: all of it, again", rounds, () => all(overview, now));
  await measure("overview: activity of 1,000 clients", rounds, async () => {
    return (await overview.activity(plan.clients, now)).length;
  });
  const { pick, bearers, last, digests } = await choices(db, plan, random);
  await measure(
    "a client's week",
    rounds,
    async () => (await clientWeek(db, pick(plan.clients), now)).length,
  );
  await measure("the largest client's week", rounds, async () => {
    return (await clientWeek(db, plan.clients[0] as string, now)).length;
  });

  const channel = (): string => pick(["push", "bundle", "parts", "sftp", "api"]);
  const client = (): string => plan.clients[Math.floor(clients ** random()) - 1] as string;
  const source = (): string => pick(["pos-daily", "erp", "hr", "ledger", "crm", "stock"]);
  const span = (): Filters => {
    const from = Math.floor(now - random() * 80 * 24 * HOUR);
    return { from, to: from + Math.floor(random() * 10 * 24) * HOUR };
  };
  await list("deliveries: all", () => ({}));
  await list("deliveries: page somewhere", () => ({ before: Math.floor(random() * last) }));
  await list("deliveries: client", () => ({ clients: [client()] }));
  await list("deliveries: 20 clients", () => ({ clients: Array.from({ length: 20 }, client) }));
  await list("deliveries: 200 clients", () => ({ clients: Array.from({ length: 200 }, client) }));
  await list("deliveries: client, source", () => ({ clients: [client()], source: source() }));
  await list("deliveries: source", () => ({ source: source() }));
  await list("deliveries: channel", () => ({ channel: channel() }));
  await list("deliveries: bearer", () => ({ bearer: pick(bearers) }));
  await list("deliveries: removals", () => ({ kind: "removal" }));
  await list("deliveries: removals of a client", () => ({ kind: "removal", clients: [client()] }));
  await list("deliveries: times", span);
  await list("deliveries: digest, 12", () => ({ sha256Prefix: pick(digests).slice(0, 12) }));
  await list("deliveries: digest, 8", () => ({ sha256Prefix: pick(digests).slice(0, 8) }));
  await list("deliveries: client, channel", () => ({ clients: [client()], channel: channel() }));
  await list("deliveries: client, times", () => ({ clients: [client()], ...span() }));
  await list("deliveries: source, channel, times", () => ({
    source: source(),
    channel: channel(),
    ...span(),
  }));
  await list("deliveries: bearer, channel", () => ({ bearer: pick(bearers), channel: channel() }));
  await list("deliveries: largest client, a channel it has not", () => ({
    clients: [plan.clients[0] as string],
    channel: channel(),
    kind: "version",
  }));
  const maybe = (part: Filters): Filters => (random() < 0.4 ? part : {});
  await list("deliveries: any combination", () => ({
    ...maybe({ clients: Array.from({ length: 1 + Math.floor(random() * 5) }, client) }),
    ...maybe({ source: source() }),
    ...maybe({ channel: channel() }),
    ...maybe({ bearer: pick(bearers) }),
    ...maybe({ kind: pick(["version", "removal"] as const) }),
    ...maybe(span()),
  }));
  await measure("deliveries: how many are newer", rounds, async () => {
    return (await countNewer(db, { clients: [client()], after: last - Math.floor(random() * 10_000) })).count;
  });
  return results;
}

async function all(overview: ReturnType<typeof createOverview>, now: number): Promise<number> {
  await overview.arrived(now);
  await overview.byHour(now);
  await overview.punctuality({ limit: 50 }, now);
  return (await overview.lateFeeds(now)).length;
}

async function choices(db: LedgerDatabase["db"], plan: Plan, random: () => number) {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const { last_seq: last } = await db.selectFrom("site").select("last_seq").executeTakeFirstOrThrow();
  const digests: string[] = [];
  while (digests.length < 20) {
    const row = await db
      .selectFrom("entries")
      .select("sha256")
      .where("seq", "=", 1 + Math.floor(random() * last))
      .executeTakeFirst();
    if (row?.sha256 != null) digests.push(row.sha256);
  }
  const bearers = [...plan.agents, ...plan.keys, ...plan.accounts].map(({ id }) => id);
  return { pick, bearers, last, digests };
}

/** A table, in ms. */
export function tableOf(results: readonly Measured[]): string {
  const at = (taken: readonly number[], part: number): string => {
    const sorted = [...taken].sort((a, b) => a - b);
    return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number).toFixed(1);
  };
  const lines = results.map(
    ({ name, taken, worked, stood, lines }) =>
      `| ${name} | ${at(taken, 0.5)} | ${at(taken, 0.95)} | ${at(taken, 1)} | ${at(worked, 0.5)} | ${at(worked, 0.95)} | ${stood.toFixed(1)} | ${lines.toFixed(0)} |`,
  );
  return [
    "| what | p50 | p95 | max | processor p50 | p95 | event loop stood | lines |",
    "|---|---|---|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

if (import.meta.main) {
  const [kind, address, rounds = "100"] = process.argv.slice(2);
  if ((kind !== "sqlite" && kind !== "postgres") || address === undefined) {
    process.stderr.write("usage: node bench/console.ts sqlite FILE|postgres URL [ROUNDS]\n");
    process.exit(2);
  }
  const database = await (kind === "sqlite" ? openSqlite(address) : openPostgres(address));
  const { db } = database;
  const names = await db.selectFrom("clients").select("name").execute();
  const site = await db.selectFrom("site").select("last_commit_at").executeTakeFirstOrThrow();
  process.stdout.write(
    tableOf(await measureConsole(database, names.length, site.last_commit_at, Number(rounds))),
  );
  await database.close();
}
