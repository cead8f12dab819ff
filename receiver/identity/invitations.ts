/** Enrolment: a code that is good once, and the agent that it becomes. Of the secret only the SHA-256 is kept. */
import { randomUUID } from "node:crypto";
import { formatCode } from "@tributary/shared/code.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { EnrollRequest } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { sql } from "kysely";
import { holdClient, lockClient } from "../ledger/clients.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { hashSecret, newSecret } from "./secret.ts";

export interface Invitation {
  /** Empty only with `replaces`: the agent keeps its clients. */
  readonly clients: readonly string[];
  readonly name?: string | undefined;
  /** How long the code is good, ms. */
  readonly expiresMs: number;
  /** The agent that moves to a new host. */
  readonly replaces?: string | undefined;
}

/** A code for whoever enrols, and what is kept of it. `id` names it in lists: nothing can be done with it. */
export interface MadeInvitation {
  readonly id: string;
  readonly code: string;
  readonly clients: readonly string[];
}

/** Makes a code. `receiver` is what the agent is told of us: address and `SiteKeys.codeTrust()`. Throws `not-found`. */
export async function invite(
  db: Database,
  invitation: Invitation,
  receiver: { readonly url: string; readonly trust: string },
  now = Date.now(),
): Promise<MadeInvitation> {
  const secret = newSecret();
  const code = formatCode({ url: receiver.url, trust: receiver.trust, secret });
  const hash = hashSecret(secret);
  return await writing(db, async (trx) => {
    const clients = await clientsOf(trx, invitation);
    await trx
      .insertInto("invitations")
      .values({
        secret_hash: hash,
        name: invitation.name ?? null,
        clients: JSON.stringify(clients),
        replaces: invitation.replaces ?? null,
        created_at: now,
        expires_at: now + invitation.expiresMs,
        used_key: null,
        used_agent: null,
      })
      .execute();
    return { id: idOf(hash), code, clients };
  });
}

/** Enough of the secret's digest to tell one from another. */
const idOf = (hash: string): string => hash.slice(0, 16);

/** One line of the open and ended codes of a client. Times RFC 3339. */
export interface InvitationView {
  readonly id: string;
  readonly name: string | null;
  readonly clients: readonly string[];
  /** The agent that it moves to a new host. */
  readonly replaces: string | null;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly state: "open" | "used" | "expired";
  /** What it became. */
  readonly agentId: string | null;
}

/** Newest first, those of the last `sinceMs` (ms since 1970) on; all, or those for a client. */
export async function listInvitations(
  db: Database,
  { client, since = 0 }: { readonly client?: string; readonly since?: number } = {},
  now = Date.now(),
): Promise<readonly InvitationView[]> {
  const rows = await named(() =>
    db
      .selectFrom("invitations")
      .selectAll()
      .where("created_at", ">=", since)
      .orderBy("created_at", "desc")
      .orderBy("secret_hash")
      .execute(),
  );
  return rows
    .map((row) => ({ row, clients: JSON.parse(row.clients) as string[] }))
    .filter(({ clients }) => client === undefined || clients.includes(client))
    .map(({ row, clients }) => ({
      ...{ id: idOf(row.secret_hash), name: row.name, clients, replaces: row.replaces },
      createdAt: new Date(row.created_at).toISOString(),
      expiresAt: new Date(row.expires_at).toISOString(),
      state: row.used_key !== null ? "used" : row.expires_at > now ? "open" : "expired",
      agentId: row.used_agent,
    }));
}

/** A code that nobody has used is good no longer. Throws `not-found`. */
export async function cancelInvitation(db: Database, id: string): Promise<readonly string[]> {
  return await writing(db, async (trx) => {
    const found = await trx
      .deleteFrom("invitations")
      .where(sql<boolean>`substr(secret_hash, 1, 16) = ${id}`)
      .where("used_key", "is", null)
      .returning("clients")
      .executeTakeFirst();
    if (found === undefined)
      throw new ProblemError(
        "not-found",
        `there is no open invitation ${id.slice(0, 50)}: it was used, or taken back`,
      );
    return JSON.parse(found.clients) as string[];
  });
}

async function clientsOf(trx: Writer, { clients, replaces }: Invitation): Promise<readonly string[]> {
  const wanted = [...new Set(clients)];
  if (replaces !== undefined) {
    const rows = await trx
      .selectFrom("agents")
      .leftJoin("agent_clients", "agent_clients.agent_id", "agents.id")
      .select("client")
      .where("agents.id", "=", replaces)
      .execute();
    if (rows.length === 0)
      throw new ProblemError(
        "not-found",
        `there is no agent ${replaces}; see: tributary-receiver agent list`,
      );
    if (wanted.length === 0) wanted.push(...rows.flatMap((row) => (row.client === null ? [] : [row.client])));
  }
  if (wanted.length === 0)
    throw new ProblemError("request-invalid", "name at least one client for the agent: --client NAME");
  // In one order, so that of two who name the same clients neither waits for the other.
  for (const client of wanted.toSorted()) await holdClient(trx, client);
  return wanted;
}

/** The agent that a code became. */
export interface Enrolled {
  readonly agentId: string;
  readonly name: string;
  readonly clients: readonly string[];
  /** The first heartbeat's. */
  readonly nonce: string;
}

/**
 * Turns a code and a public key into an agent, in one transaction. Repeated with the same key (the answer was lost)
 * it answers the same. Throws `code-unknown`, `code-used`, `code-expired`, `agent-revoked`, `request-invalid`.
 */
export async function redeem(db: Database, request: EnrollRequest, now = Date.now()): Promise<Enrolled> {
  const key = request.publicKey.x;
  // The last character has two spare bits: other spellings of one key are not other keys.
  if (Buffer.from(key, "base64url").toString("base64url") !== key)
    throw new ProblemError("request-invalid", "the public key is not canonical base64url of 32 bytes");
  const hash = hashSecret(request.secret);
  return await writing(db, async (trx) => {
    await holdNamed(trx, hash);
    const invitation = await trx
      .updateTable("invitations")
      .set({ used_key: key })
      .where("secret_hash", "=", hash)
      .where("used_key", "is", null)
      .where("expires_at", ">", now)
      .returningAll()
      .executeTakeFirst();
    if (!invitation) return await repeat(trx, hash, key);
    const taken = await trx
      .selectFrom("agents")
      .select("id")
      .where("public_key", "=", key)
      .executeTakeFirst();
    if (taken)
      throw new ProblemError(
        "request-invalid",
        "this public key belongs to an enrolled agent already; make a new key pair and enrol with it (the code is still good)",
      );
    const agent = { key, request, now, name: invitation.name, nonce: randomUUID() };
    const { id, name } =
      invitation.replaces === null
        ? await insertAgent(trx, agent)
        : await moveAgent(trx, agent, invitation.replaces);
    const clients = JSON.parse(invitation.clients) as string[];
    await trx.deleteFrom("agent_clients").where("agent_id", "=", id).execute();
    await trx
      .insertInto("agent_clients")
      .values(clients.map((client) => ({ agent_id: id, client })))
      .execute();
    await trx.updateTable("invitations").set({ used_agent: id }).where("secret_hash", "=", hash).execute();
    return { agentId: id, name, clients, nonce: agent.nonce };
  });
}

/** An offboarding that goes on has ended then, and taken the code away; or waits, and finds the agent that it became. */
async function holdNamed(trx: Writer, hash: string): Promise<void> {
  const code = await trx
    .selectFrom("invitations")
    .select("clients")
    .where("secret_hash", "=", hash)
    .executeTakeFirst();
  if (code === undefined) return;
  for (const client of (JSON.parse(code.clients) as string[]).toSorted()) await lockClient(trx, client);
}

interface NewAgent {
  readonly key: string;
  readonly request: EnrollRequest;
  readonly now: number;
  readonly name: string | null;
  readonly nonce: string;
}

async function insertAgent(trx: Writer, { key, request, now, name, nonce }: NewAgent) {
  const row = { id: uuidv7(), name: name ?? request.host };
  await trx
    .insertInto("agents")
    .values({
      ...row,
      public_key: key,
      state: "active",
      created_at: now,
      host: request.host,
      platform: request.platform,
      version: request.version,
      nonce,
      nonce_previous: null,
      last_seen_at: null,
      status: null,
    })
    .execute();
  return row;
}

/** The same agent on a new host: from here on its old key is unknown. */
async function moveAgent(trx: Writer, { key, request, name, nonce }: NewAgent, id: string) {
  const { host, platform, version } = request;
  return await trx
    .updateTable("agents")
    .set({
      ...(name === null ? {} : { name }),
      ...{ public_key: key, state: "active", host, platform, version },
      ...{ nonce, nonce_previous: null, last_seen_at: null, status: null },
    })
    .where("id", "=", id)
    .returning(["id", "name"])
    .executeTakeFirstOrThrow();
}

/** A code that cannot be claimed: the same agent asking again, or a refusal that says why. */
async function repeat(trx: Writer, hash: string, key: string): Promise<Enrolled> {
  const invitation = await trx
    .selectFrom("invitations")
    .selectAll()
    .where("secret_hash", "=", hash)
    .executeTakeFirst();
  if (!invitation)
    throw new ProblemError(
      "code-unknown",
      "this receiver did not make this code; ask for one with: tributary-receiver agent invite",
    );
  if (invitation.used_key === null)
    throw new ProblemError(
      "code-expired",
      `this code was good until ${new Date(invitation.expires_at).toISOString()}; ask for a new one`,
    );
  const agent = await trx
    .selectFrom("agents")
    .select(["id", "name", "state", "nonce"])
    .where("id", "=", invitation.used_agent)
    .where("public_key", "=", key)
    .executeTakeFirst();
  if (invitation.used_key !== key || !agent)
    throw new ProblemError("code-used", "this code was used already; ask for a new one");
  if (agent.state === "revoked")
    throw new ProblemError("agent-revoked", "the agent that this code became was revoked; ask for a new one");
  const nonce = agent.nonce ?? randomUUID();
  if (agent.nonce === null)
    await trx.updateTable("agents").set({ nonce }).where("id", "=", agent.id).execute();
  const clients = await trx
    .selectFrom("agent_clients")
    .select("client")
    .where("agent_id", "=", agent.id)
    .orderBy("client")
    .execute();
  return { agentId: agent.id, name: agent.name, clients: clients.map((row) => row.client), nonce };
}
