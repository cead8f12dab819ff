/** How the fleet stands, in numbers: what each heartbeat says is kept in a narrow row, so that thousands of agents are added up without reading their words. */
import type { HeartbeatRequest } from "@tributary/shared/protocol.ts";
import { type Kysely, sql } from "kysely";
import { named, type Writer } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

type StandingTables = {
  agent_standings: {
    agent_id: string;
    skew_ms: number;
    waiting: number;
    bytes: number;
    oldest_at: number | null;
    aside: number;
    sources: number;
    unreachable: number;
    problems: number;
  };
};

const withStandings = (db: Kysely<Tables>) => db.withTables<StandingTables>();

/** A clock that is further off than this is as wrong as can be; a column takes no more either. */
const MOST_SKEW_MS = 1e12;

/** Silent is who missed many reports: one that restarts, or whose line is down for a minute, is not. */
export const silentAfter = (heartbeatMs: number): number => Math.max(120_000, 4 * heartbeatMs);

/** In the heartbeat's own transaction. */
export async function recordStanding(
  trx: Writer,
  agentId: string,
  { skewMs, queue, sources, problems }: Pick<HeartbeatRequest, "skewMs" | "queue" | "sources" | "problems">,
): Promise<void> {
  const standing = {
    skew_ms: Math.round(Math.max(-MOST_SKEW_MS, Math.min(MOST_SKEW_MS, skewMs))),
    waiting: queue.depth,
    bytes: queue.bytes,
    oldest_at: queue.oldestSealedAt === undefined ? null : Date.parse(queue.oldestSealedAt),
    aside: queue.aside,
    sources: sources.length,
    unreachable: sources.filter(({ reachable }) => !reachable).length,
    problems: problems.length,
  };
  await withStandings(trx)
    .insertInto("agent_standings")
    .values({ agent_id: agentId, ...standing })
    .onConflict((oc) => oc.column("agent_id").doUpdateSet(standing))
    .execute();
}

/** Of all agents but the revoked ones, as they said last. */
export interface FleetStanding {
  readonly agents: {
    readonly seen: number;
    /** Not heard from since `silentSince`, or never though enrolled before it. */
    readonly silent: number;
    readonly forked: number;
    readonly revoked: number;
  };
  readonly waiting: number;
  readonly bytes: number;
  /** When the parcel that waits longest was sealed, ms since 1970. */
  readonly oldestAt: number | undefined;
  readonly aside: number;
  readonly sources: number;
  readonly unreachable: number;
  readonly problems: number;
  /** The largest of those seen, either way. */
  readonly skewMs: number;
}

/** One pass over narrow rows; `silentSince`: ms since 1970. */
export async function fleetStanding(db: Database, silentSince: number): Promise<FleetStanding> {
  const since = sql.lit(silentSince);
  const heard = sql`coalesce(a.last_seen_at, a.created_at)`;
  const isSeen = sql`a.state = 'active' and ${heard} >= ${since}`;
  const count = (which: ReturnType<typeof sql>) => sql<number>`sum(case when ${which} then 1 else 0 end)`;
  const sum = (column: string) =>
    sql<number>`sum(case when a.state <> 'revoked' then ${sql.ref(`s.${column}`)} else 0 end)`;
  const row = await named(() =>
    withStandings(db)
      .selectFrom("agents as a")
      .leftJoin("agent_standings as s", "s.agent_id", "a.id")
      .select([
        count(isSeen).as("seen"),
        count(sql`a.state = 'active' and ${heard} < ${since}`).as("silent"),
        count(sql`a.state = 'forked'`).as("forked"),
        count(sql`a.state = 'revoked'`).as("revoked"),
        sum("waiting").as("waiting"),
        sum("bytes").as("bytes"),
        sql<number | null>`min(case when a.state <> 'revoked' and s.waiting > 0 then s.oldest_at end)`.as(
          "oldestAt",
        ),
        sum("aside").as("aside"),
        sum("sources").as("sources"),
        sum("unreachable").as("unreachable"),
        sum("problems").as("problems"),
        sql<number | null>`max(case when ${isSeen} then abs(s.skew_ms) end)`.as("skewMs"),
      ])
      .executeTakeFirstOrThrow(),
  );
  // PostgreSQL gives sums as text.
  return {
    agents: {
      ...{ seen: Number(row.seen), silent: Number(row.silent) },
      ...{ forked: Number(row.forked), revoked: Number(row.revoked) },
    },
    ...{ waiting: Number(row.waiting), bytes: Number(row.bytes), aside: Number(row.aside) },
    oldestAt: row.oldestAt === null ? undefined : Number(row.oldestAt),
    ...{ sources: Number(row.sources), unreachable: Number(row.unreachable), problems: Number(row.problems) },
    skewMs: Number(row.skewMs ?? 0),
  };
}
