/** Enrolment: a code that is good once, and the agent that it becomes. Of the secret only the SHA-256 is kept. */
import { randomUUID } from "node:crypto";
import { formatCode } from "@tributary/shared/code.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type EnrollRequest, slug } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { type Writer, writing } from "../ledger/database.ts";
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

/** Makes a code. `receiver` is what the agent is told of us: address and `SiteKeys.codeTrust()`. Throws `not-found`. */
export async function invite(
  db: Database,
  invitation: Invitation,
  receiver: { readonly url: string; readonly trust: string },
  now = Date.now(),
): Promise<string> {
  const secret = newSecret();
  const code = formatCode({ url: receiver.url, trust: receiver.trust, secret });
  await writing(db, async (trx) => {
    const clients = await clientsOf(trx, invitation);
    await trx
      .insertInto("invitations")
      .values({
        secret_hash: hashSecret(secret),
        name: invitation.name ?? null,
        clients: JSON.stringify(clients),
        replaces: invitation.replaces ?? null,
        created_at: now,
        expires_at: now + invitation.expiresMs,
        used_key: null,
        used_agent: null,
      })
      .execute();
  });
  return code;
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
    if (wanted.length === 0) return rows.flatMap((row) => (row.client === null ? [] : [row.client]));
  }
  if (wanted.length === 0)
    throw new ProblemError("request-invalid", "name at least one client for the agent: --client NAME");
  const known = await trx.selectFrom("clients").select("name").where("name", "in", wanted).execute();
  for (const client of wanted) {
    if (!slug.safeParse(client).success || !known.some((row) => row.name === client))
      throw new ProblemError(
        "not-found",
        `there is no client "${client}"; add it with: tributary-receiver client add ${client}`,
      );
  }
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
