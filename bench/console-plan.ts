/** What a site of many clients is made of, out of one seed: who there is, and what each source sends at which hour. */
import { HOUR } from "../receiver/ledger/arrivals.ts";

export type Rhythm = "hourly" | "office" | "daily" | "weekdays" | "weekly" | "monthly" | "stopped" | "new";

export interface PlannedFeed {
  readonly client: string;
  readonly source: string;
  readonly channel: string;
  readonly bearers: readonly string[];
  readonly rhythm: Rhythm;
  /** Of the UTC day, 0 to 23. */
  readonly atHour: number;
  /** 0: Sunday. */
  readonly weekday: number;
  /** How much it sends, as a part of what all send. */
  readonly weight: number;
}

export interface Plan {
  readonly clients: readonly string[];
  readonly agents: readonly { readonly id: string; readonly client: string; readonly name: string }[];
  readonly keys: readonly { readonly id: string; readonly client: string; readonly name: string }[];
  readonly accounts: readonly { readonly id: string; readonly client: string; readonly name: string }[];
  readonly feeds: readonly PlannedFeed[];
}

/** The same numbers for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SOURCES = ["pos-daily", "erp", "hr", "ledger", "crm", "stock", "logs", "payroll"];
const RHYTHMS: readonly Rhythm[] = [
  ...([
    "hourly",
    "hourly",
    "office",
    "office",
    "daily",
    "daily",
    "daily",
    "daily",
    "weekdays",
    "weekdays",
  ] as const),
  ...(["weekdays", "weekly", "monthly", "stopped", "new"] as const),
];
const CHANNELS = ["push", "push", "push", "bundle", "bundle", "bundle", "parts", "sftp", "api"];

const idOf = (kind: number, n: number): string =>
  `00000000-0000-7000-8${String(kind).padStart(3, "0")}-${String(n).padStart(12, "0")}`;

/** So many clients with twice as many agents; the first client sends most (a power law). */
export function planSite(clientCount: number, seed: number): Plan {
  const random = randomOf(seed);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const clients = Array.from({ length: clientCount }, (_, i) => `client-${String(i + 1).padStart(4, "0")}`);
  const named = (kind: number, count: number, name: string) =>
    Array.from({ length: count }, (_, i) => ({
      id: idOf(kind, i),
      client: clients[i % clientCount] as string,
      name: `${name}-${i + 1}`,
    }));
  const agents = named(1, clientCount * 2, "agent");
  const keys = named(2, clientCount, "key");
  const accounts = named(3, clientCount, "user");
  const feeds = clients.flatMap((client, i) => {
    const count = i < clientCount / 20 ? 6 : 1 + Math.floor(random() * 4);
    return SOURCES.slice(0, count).map((source): PlannedFeed => {
      const channel = pick(CHANNELS);
      const bearers =
        channel === "api"
          ? [(keys[i] as { id: string }).id]
          : channel === "sftp"
            ? [(accounts[i] as { id: string }).id]
            : agents.filter((_, n) => n % clientCount === i).map(({ id }) => id);
      const rhythm = i === 0 ? "hourly" : pick(RHYTHMS);
      const weight = (0.5 + random()) / (i + 1) ** 0.9;
      const [atHour, weekday] = [Math.floor(random() * 24), 1 + Math.floor(random() * 5)];
      return { client, source, channel, bearers, rhythm, atHour, weekday, weight };
    });
  });
  return { clients, agents, keys, accounts, feeds };
}

/** Whether it sends in the UTC hour that begins at `hour`; `chance`, 0 to 1, lets it be late or forget at times. */
export function sendsAt(feed: PlannedFeed, hour: number, now: number, chance: number): boolean {
  const at = new Date(hour);
  const [ofDay, weekday] = [at.getUTCHours(), at.getUTCDay()];
  const due = ofDay === (chance < 0.04 ? (feed.atHour + 3) % 24 : feed.atHour) && chance > 0.01;
  switch (feed.rhythm) {
    case "hourly":
      return chance > 0.01;
    case "office":
      return weekday > 0 && weekday < 6 && ofDay >= 7 && ofDay < 18 && chance > 0.02;
    case "daily":
      return due;
    case "weekdays":
      return due && weekday > 0 && weekday < 6;
    case "weekly":
      return due && weekday === feed.weekday;
    case "monthly":
      return due && at.getUTCDate() === 1 + feed.weekday;
    case "stopped":
      return due && hour < now - (3 + feed.atHour) * 24 * HOUR;
    case "new":
      return due && hour > now - (2 + feed.weekday) * 24 * HOUR;
  }
}
