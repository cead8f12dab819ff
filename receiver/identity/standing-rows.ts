/** How agents, API keys and SFTP accounts stand in the ledger, as it is read; what follows from it is standing.ts's. */
import { createHash } from "node:crypto";
import { named } from "../ledger/database.ts";
import { type BearerLimits, bearerLimitsOf, type Limits, limitsOf } from "../ledger/limits.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { scopes } from "./apikeys.ts";
import type { Act } from "./principal.ts";

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

export interface AccountStanding {
  readonly kind: "account";
  readonly user: string;
  readonly revoked: boolean;
  readonly source: string | undefined;
  readonly acts: ReadonlySet<Act>;
  readonly defaultSource: string;
  readonly history: boolean;
  readonly receipts: boolean;
  readonly passwordHash: string | undefined;
  /** By their fingerprints. Base64 of the SSH blob. */
  readonly publicKeys: ReadonlyMap<string, string>;
  readonly limits: BearerLimits | undefined;
  readonly clients: readonly StandingClient[];
}

export type Standing = AgentStanding | KeyStanding | AccountStanding;

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

/** An unknown id, or user without an account that counts, is not in the answer. */
export async function accountStandings(
  db: Database,
  by: { readonly ids: readonly string[] } | { readonly user: string },
): Promise<Map<string, AccountStanding>> {
  const all = db
    .selectFrom("sftp_accounts")
    .leftJoin("sftp_keys", "sftp_keys.account_id", "sftp_accounts.id")
    .leftJoin("clients", "clients.name", "sftp_accounts.client")
    .leftJoin("bearers", "bearers.bearer", "sftp_accounts.id")
    .selectAll("sftp_accounts")
    .select(["fingerprint", "public_key", "suspended_at"])
    .select(LIMITS);
  const wanted =
    "ids" in by
      ? all.where("sftp_accounts.id", "in", by.ids)
      : all.where("user_name", "=", by.user).where("revoked_at", "is", null);
  const rows = await named(() => wanted.execute());
  const found = new Map<string, AccountStanding>();
  for (const [id, group] of Map.groupBy(rows, (row) => row.id)) {
    const first = group[0] as (typeof rows)[number];
    found.set(id, {
      kind: "account",
      user: first.user_name,
      revoked: first.revoked_at !== null,
      source: first.source ?? undefined,
      acts: actsOf(first),
      defaultSource: first.default_source,
      history: first.history === 1,
      receipts: first.receipts === 1,
      passwordHash: first.password_hash ?? undefined,
      publicKeys: new Map(
        group.flatMap(({ fingerprint, public_key }) =>
          fingerprint === null || public_key === null ? [] : [[fingerprint, public_key]],
        ),
      ),
      limits: bearerLimitsOf(first),
      clients: [
        { name: first.client, suspended: first.suspended_at !== null, limits: clientLimitsOf(first) },
      ],
    });
  }
  return found;
}

function actsOf({
  access,
  removals,
}: Pick<Tables["sftp_accounts"], "access" | "removals">): ReadonlySet<Act> {
  const acts = new Set<Act>(["write"]);
  if (access === "read-write") acts.add("read");
  if (removals === "record") acts.add("remove");
  return acts;
}

/** What an account can log in with: fingerprints of its keys, and a name of its password that tells nothing of it. */
export function proofsOf({
  publicKeys,
  passwordHash,
}: Pick<AccountStanding, "publicKeys" | "passwordHash">): string[] {
  return [...publicKeys.keys(), ...(passwordHash === undefined ? [] : [passwordProof(passwordHash)])];
}

export function passwordProof(passwordHash: string): string {
  return `password ${createHash("sha256").update(passwordHash).digest("hex")}`;
}
