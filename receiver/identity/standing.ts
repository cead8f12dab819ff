/** How agents and keys stand in the ledger: what the gate decides by, at a request and while something is open. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { named } from "../ledger/database.ts";
import { type BearerLimits, bearerLimitsOf, type Limits, limitsOf } from "../ledger/limits.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { scopes } from "./apikeys.ts";
import { type Act, clientSuspended, type Principal } from "./principal.ts";

interface StandingClient {
  readonly name: string;
  readonly suspended: boolean;
  readonly limits: Limits;
}

export interface AgentStanding {
  readonly kind: "agent";
  readonly publicKey: string;
  readonly state: Tables["agents"]["state"];
  readonly limits: BearerLimits | undefined;
  readonly clients: readonly StandingClient[];
}

export interface KeyStanding {
  readonly kind: "key";
  readonly secretHash: string;
  readonly revoked: boolean;
  readonly source: string | undefined;
  readonly acts: ReadonlySet<Act>;
  readonly limits: BearerLimits | undefined;
  readonly clients: readonly StandingClient[];
}

const LIMITS = [
  "bearers.limit_requests",
  "bearers.limit_uploads",
  "bearers.quota_day",
  "bearers.quota_file",
  "clients.limit_requests as client_requests",
  "clients.limit_uploads as client_uploads",
] as const;

function clientLimitsOf(row: {
  readonly client_requests: string | null;
  readonly client_uploads: number | null;
}): Limits {
  return limitsOf({ limit_requests: row.client_requests, limit_uploads: row.client_uploads });
}

/** An unknown id is not in the answer. */
export async function agentStandings(
  db: Database,
  ids: readonly string[],
): Promise<Map<string, AgentStanding>> {
  const rows = await named(() =>
    db
      .selectFrom("agents")
      .leftJoin("agent_clients", "agent_clients.agent_id", "agents.id")
      .leftJoin("clients", "clients.name", "agent_clients.client")
      .leftJoin("bearers", "bearers.bearer", "agents.id")
      .select(["agents.id", "public_key", "state", "agent_clients.client", "suspended_at"])
      .select(LIMITS)
      .where("agents.id", "in", ids)
      .orderBy("agent_clients.client")
      .execute(),
  );
  const found = new Map<string, AgentStanding>();
  for (const [id, group] of Map.groupBy(rows, (row) => row.id)) {
    const first = group[0] as (typeof rows)[number];
    const { public_key, state } = first;
    const clients = group.flatMap(({ client, suspended_at, ...row }) =>
      client === null
        ? []
        : [{ name: client, suspended: suspended_at !== null, limits: clientLimitsOf(row) }],
    );
    found.set(id, { kind: "agent", publicKey: public_key, state, limits: bearerLimitsOf(first), clients });
  }
  return found;
}

/** An unknown id is not in the answer. */
export async function keyStandings(db: Database, ids: readonly string[]): Promise<Map<string, KeyStanding>> {
  const rows = await named(() =>
    db
      .selectFrom("api_keys")
      .leftJoin("clients", "clients.name", "api_keys.client")
      .leftJoin("bearers", "bearers.bearer", "api_keys.id")
      .selectAll("api_keys")
      .select("suspended_at")
      .select(LIMITS)
      .where("api_keys.id", "in", ids)
      .execute(),
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        kind: "key",
        secretHash: row.secret_hash,
        revoked: row.revoked_at !== null,
        source: row.source ?? undefined,
        acts: new Set(scopes.parse(JSON.parse(row.scopes))),
        limits: bearerLimitsOf(row),
        clients: [{ name: row.client, suspended: row.suspended_at !== null, limits: clientLimitsOf(row) }],
      },
    ]),
  );
}

/** Who this is, once proved. Throws `agent-revoked`, `agent-forked`, `client-suspended`, `unauthenticated`. */
export function principalOf(id: string, standing: AgentStanding | KeyStanding): Principal {
  refuseFallen(standing);
  const clients = standing.clients.filter((client) => !client.suspended).map((client) => client.name);
  const suspended = standing.clients.filter((client) => client.suspended).map((client) => client.name);
  if (clients.length === 0) throw clientSuspended(suspended.join(", "));
  const limited = standing.clients.filter(
    ({ limits }) => limits.requests !== null || limits.uploads !== null,
  );
  const common = {
    id,
    clients,
    ...(suspended.length > 0 ? { suspended } : {}),
    ...(standing.limits === undefined ? {} : { limits: standing.limits }),
    ...(limited.length === 0 ? {} : { clientLimits: new Map(limited.map((one) => [one.name, one.limits])) }),
  };
  return standing.kind === "key"
    ? { ...common, kind: "key", source: standing.source, acts: standing.acts }
    : {
        ...common,
        kind: "agent",
        source: undefined,
        // It reads only its own uploads, and those need no `read`.
        acts: new Set(["write", "remove"] as const),
        publicKey: standing.publicKey,
      };
}

/** Why this principal may not go on with what it does for these clients, or undefined while it may. */
export function fallen(
  principal: Principal,
  clients: readonly string[],
  standing: AgentStanding | KeyStanding | undefined,
): ProblemError | undefined {
  if (!standing) return new ProblemError("unauthenticated", "these credentials are no longer known");
  if (
    standing.kind === "agent" &&
    principal.publicKey !== undefined &&
    standing.publicKey !== principal.publicKey
  )
    return new ProblemError("unauthenticated", "this agent has moved to another host and has a new key");
  try {
    refuseFallen(standing);
  } catch (problem) {
    return problem as ProblemError;
  }
  for (const name of clients) {
    const client = standing.clients.find((one) => one.name === name);
    if (!client)
      return new ProblemError(
        "client-not-allowed",
        `these credentials no longer act for the client "${name}"`,
      );
    if (client.suspended) return clientSuspended(name);
  }
  return undefined;
}

function refuseFallen(standing: AgentStanding | KeyStanding): void {
  if (standing.kind === "key") {
    if (standing.revoked) throw new ProblemError("unauthenticated", "this API key was revoked");
    return;
  }
  if (standing.state === "revoked")
    throw new ProblemError("agent-revoked", "this agent was revoked; it needs a new code to come back");
  if (standing.state === "forked")
    throw new ProblemError(
      "agent-forked",
      "two hosts act with this agent's identity, so both are stopped and keep their queues. " +
        "Give the right one a new code: tributary-receiver agent invite --replaces ID",
      { retryAfter: 60 },
    );
}
