/** Agents as commands and the console see them. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { heartbeatRequest } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { named, writing } from "../ledger/database.ts";
import { type BearerLimits, type BearerState, bearerStates, NO_LIMITS } from "../ledger/limits.ts";
import type { Database, Tables } from "../ledger/schema.ts";

/** What the last heartbeat said; after a fork also which hosts act with the one identity. */
export const agentStatus = heartbeatRequest.omit({ nonce: true, done: true }).extend({
  fork: z.object({ foundAt: z.string(), hosts: z.array(z.string()) }).optional(),
});
export type AgentStatus = z.infer<typeof agentStatus>;

/** One line of `agent list --json`. Times RFC 3339. */
export interface AgentView {
  readonly id: string;
  readonly name: string;
  readonly clients: readonly string[];
  readonly state: Tables["agents"]["state"];
  readonly host: string;
  readonly platform: string;
  readonly version: string;
  readonly createdAt: string;
  readonly lastSeenAt: string | null;
  /** Null until the first heartbeat. */
  readonly status: AgentStatus | null;
  readonly limits: BearerLimits;
  /** Brought on this UTC day. */
  readonly dayBytes: number;
  /** Of the sources that it polls for all that share them. */
  readonly leases: readonly AgentLease[];
  /** The centre wishes that nothing leaves it; whether it does so its `status.paused` says. Null: no such wish. */
  readonly pause: AgentPause | null;
}

/** `since` RFC 3339. */
export interface AgentPause {
  readonly since: string;
  readonly by: string;
}

/** The wish as it is kept. */
export function pauseOf({
  paused_at,
  paused_by,
}: Pick<Tables["agents"], "paused_at" | "paused_by">): AgentPause | null {
  return paused_at === null ? null : { since: new Date(paused_at).toISOString(), by: paused_by ?? "" };
}

/** `until`: when it ends unless it is renewed, RFC 3339. */
export interface AgentLease {
  readonly client: string;
  readonly source: string;
  readonly term: number;
  readonly until: string;
}

/** Oldest first; all, or those that act for a client, also among others. */
export async function listAgents(
  db: Database,
  now = Date.now(),
  { client }: { readonly client?: string } = {},
): Promise<readonly AgentView[]> {
  let asked = db.selectFrom("agents").selectAll().orderBy("created_at").orderBy("id");
  if (client !== undefined)
    asked = asked.where(
      "id",
      "in",
      db.selectFrom("agent_clients").select("agent_id").where("client", "=", client),
    );
  const [agents, links, held] = await named(() =>
    Promise.all([
      asked.execute(),
      db.selectFrom("agent_clients").selectAll().orderBy("client").execute(),
      runningLeases(db, now).execute(),
    ]),
  );
  const leases = Map.groupBy(held, (lease) => lease.agent_id);
  const clients = Map.groupBy(links, (link) => link.agent_id);
  const bearers = await bearerStates(db, "all");
  return agents.map((row) =>
    viewOf(
      row,
      (clients.get(row.id) ?? []).map((link) => link.client),
      bearers.get(row.id),
      leases.get(row.id) ?? [],
    ),
  );
}

function runningLeases(db: Database, now: number) {
  return db
    .selectFrom("leases")
    .selectAll()
    .where("agent_id", "is not", null)
    .where("until", ">", now)
    .orderBy("client")
    .orderBy("source");
}

/** Undefined when there is no such agent. */
export async function getAgent(db: Database, id: string, now = Date.now()): Promise<AgentView | undefined> {
  const row = await named(() => db.selectFrom("agents").selectAll().where("id", "=", id).executeTakeFirst());
  if (!row) return undefined;
  const links = await named(() =>
    db.selectFrom("agent_clients").select("client").where("agent_id", "=", id).orderBy("client").execute(),
  );
  return viewOf(
    row,
    links.map((link) => link.client),
    (await bearerStates(db, [id])).get(id),
    await named(() => runningLeases(db, now).where("agent_id", "=", id).execute()),
  );
}

/** For good, until somebody invites with `--replaces`; in force everywhere within 5 s. Throws `not-found`. */
export async function revokeAgent(db: Database, id: string): Promise<void> {
  const result = await writing(db, (trx) =>
    trx.updateTable("agents").set({ state: "revoked" }).where("id", "=", id).executeTakeFirst(),
  );
  if (Number(result.numUpdatedRows) === 0)
    throw new ProblemError("not-found", `there is no agent ${id}; see: tributary-receiver agent list`);
}

/** A status that cannot be read (of another version) counts as none: the list must never fail for it. */
export function parseStatus(text: string | null): AgentStatus | null {
  if (text === null) return null;
  try {
    return agentStatus.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function viewOf(
  row: Tables["agents"],
  clients: readonly string[],
  bearer: BearerState | undefined,
  leases: readonly Tables["leases"][],
): AgentView {
  const { id, name, state, host, platform, version, last_seen_at } = row;
  return {
    ...{ id, name, clients, state, host, platform, version },
    createdAt: new Date(row.created_at).toISOString(),
    lastSeenAt: last_seen_at === null ? null : new Date(last_seen_at).toISOString(),
    status: parseStatus(row.status),
    limits: bearer?.limits ?? NO_LIMITS,
    dayBytes: bearer?.dayBytes ?? 0,
    leases: leases.map(({ client, source, term, until }) => ({
      ...{ client, source, term },
      until: new Date(until).toISOString(),
    })),
    pause: pauseOf(row),
  };
}
