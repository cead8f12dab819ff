/** The heartbeat: what an agent says of itself, and what the centre answers. */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  type Command,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  WORDS_MOST,
} from "@tributary/shared/protocol.ts";
import { type AgentStatus, parseStatus } from "../identity/agents.ts";
import type { SiteKeys } from "../identity/keys.ts";
import type { Principal } from "../identity/principal.ts";
import { type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { beatAfter } from "./attention.ts";
import { commandsFor } from "./commands.ts";
import { fence } from "./fencing.ts";
import { recordStanding } from "./standing.ts";

export interface FleetSettings {
  readonly db: Database;
  readonly keys: Pick<SiteKeys, "site" | "trust" | "jwks">;
  readonly now?: () => number;
  /** How often agents shall report. */
  readonly heartbeatSeconds?: number;
}

export const HEARTBEAT_SECONDS = 30;

export type Heartbeat = (principal: Principal, request: HeartbeatRequest) => Promise<HeartbeatAnswer>;

/** Takes one heartbeat in one transaction. Throws `agent-forked`, `agent-revoked`, `forbidden`, `unauthenticated`. */
export function heartbeatOf(settings: FleetSettings): Heartbeat {
  const { db, keys, now = Date.now, heartbeatSeconds = HEARTBEAT_SECONDS } = settings;
  return async (principal, request) => {
    if (principal.kind !== "agent")
      throw new ProblemError("forbidden", "heartbeats come from agents; an API key has none");
    const taken = await writing(db, (trx) => take(trx, principal, request, now()));
    if (taken.kind === "forked")
      throw new ProblemError(
        "agent-forked",
        `another host acts with this agent's identity (${taken.hosts.join(" and ")}); both are stopped and keep their queues. ` +
          "Give the right one a new code: tributary-receiver agent invite --replaces ID",
        { retryAfter: 60 },
      );
    return {
      nonce: taken.nonce,
      heartbeatSeconds: beatAfter(taken.agent, heartbeatSeconds, now()),
      configurationRevision: 0,
      clients: taken.clients,
      trust: keys.trust(),
      jwks: keys.jwks(),
      commands: taken.commands,
      ...(taken.agent.paused_at === null
        ? {}
        : { paused: true, pausedBy: (taken.agent.paused_by ?? "").slice(0, WORDS_MOST) }),
    };
  };
}

type Taken =
  | {
      readonly kind: "taken";
      readonly nonce: string;
      readonly clients: string[];
      readonly commands: Command[];
      readonly agent: Tables["agents"];
    }
  | { readonly kind: "forked"; readonly hosts: readonly string[] };

async function take(
  trx: Writer,
  principal: Principal,
  request: HeartbeatRequest,
  now: number,
): Promise<Taken> {
  // Writing first locks the row in PostgreSQL: two hosts at the same moment come one after the other.
  const agent = await trx
    .updateTable("agents")
    .set((eb) => ({ nonce: eb.ref("nonce") }))
    .where("id", "=", principal.id)
    .returningAll()
    .executeTakeFirst();
  if (!agent || (principal.publicKey !== undefined && agent.public_key !== principal.publicKey))
    throw new ProblemError("unauthenticated", "this agent has moved to another host and has a new key");
  if (agent.state === "revoked") throw new ProblemError("agent-revoked", "this agent was revoked");
  const { nonce: presented, done, ...status } = request;
  const nonces = fence({ current: agent.nonce, previous: agent.nonce_previous }, presented, randomUUID());
  if (agent.state === "forked" || !nonces?.current)
    return { kind: "forked", hosts: await stop(trx, agent, status, now) };
  const { host, version } = status;
  await trx
    .updateTable("agents")
    .set({
      ...{ host, version, nonce: nonces.current, nonce_previous: nonces.previous, last_seen_at: now },
      status: JSON.stringify(status satisfies AgentStatus),
    })
    .where("id", "=", agent.id)
    .execute();
  await recordStanding(trx, agent.id, status);
  const clients = await trx
    .selectFrom("agent_clients")
    .select("client")
    .where("agent_id", "=", agent.id)
    .orderBy("client")
    .execute();
  const commands = await commandsFor(trx, agent.id, { version, knows: status.knows, done }, now);
  return { kind: "taken", nonce: nonces.current, clients: clients.map((row) => row.client), commands, agent };
}

/** Stops both hosts and keeps the names of both for `agent list`. */
async function stop(
  trx: Writer,
  agent: Tables["agents"],
  status: AgentStatus,
  now: number,
): Promise<readonly string[]> {
  const before = parseStatus(agent.status);
  const hosts = [...new Set([...(before?.fork?.hosts ?? [agent.host]), status.host])].slice(0, 10);
  const fork = before?.fork ?? { foundAt: new Date(now).toISOString(), hosts };
  await trx
    .updateTable("agents")
    .set({ state: "forked", status: JSON.stringify({ ...(before ?? status), fork: { ...fork, hosts } }) })
    .where("id", "=", agent.id)
    .execute();
  return hosts;
}
