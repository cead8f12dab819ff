/**
 * Offboarding: a client leaves. Nobody can bring anything for it any more, and nobody is told of it; its files and their
 * history stay as they are. All in one transaction.
 */

import { ProblemError } from "@tributary/shared/problems.ts";
import { audited } from "../audit/audit.ts";
import { agentStatus } from "../identity/agents.ts";
import { clientState, lockClient, markOffboarded } from "../ledger/clients.ts";
import { named, type Writer } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { signOut } from "../people/sessions.ts";
import type { Administrator } from "./administrator.ts";
import { clientFacts } from "./clients.ts";

/** What an offboarding would do, in numbers, for whoever is asked whether they are sure. */
export interface Offboarding {
  /** Agents that act for this client alone: they are revoked. `waiting`: files in their queues as they last said. */
  readonly revoked: readonly { readonly id: string; readonly name: string; readonly waiting: number }[];
  /** Agents that act for others too: they go on for those. */
  readonly kept: readonly { readonly id: string; readonly name: string }[];
  readonly keys: number;
  readonly accounts: number;
  readonly webhooks: number;
  /** Codes that are still good. */
  readonly invitations: number;
  /** Its own people who may log in, and links that are still good and would make one. */
  readonly people: number;
}

/** Throws `not-found`. */
export async function planOffboarding(db: Database, client: string, now = Date.now()): Promise<Offboarding> {
  return await named(async () => {
    if ((await clientState(db, client)) === undefined)
      throw new ProblemError(
        "not-found",
        `there is no client "${client}"; see: tributary-receiver client list`,
      );
    const agents = await agentsOf(db, client);
    const live = (table: "api_keys" | "sftp_accounts" | "webhooks") =>
      db
        .selectFrom(table)
        .select("id")
        .where("client", "=", client)
        .where("revoked_at", "is", null)
        .execute();
    return {
      revoked: agents
        .filter(({ others }) => others === 0)
        .map(({ id, name, waiting }) => ({ id, name, waiting })),
      kept: agents.filter(({ others }) => others > 0).map(({ id, name }) => ({ id, name })),
      keys: (await live("api_keys")).length,
      accounts: (await live("sftp_accounts")).length,
      webhooks: (await live("webhooks")).length,
      invitations: (await codesOf(db, client)).filter((code) => code.expires_at > now).length,
      people: (await peopleOf(db, client)).length + (await linksOf(db, client, now)),
    };
  });
}

/** Twice does no harm. Throws `not-found`. */
export async function offboardClient(
  { db, who }: Administrator,
  client: string,
  now = Date.now(),
): Promise<Offboarding> {
  return await audited(db, who, async (trx, record) => {
    // From here on nobody is let in for it; whoever was being let in has been, and is found.
    await lockClient(trx, client);
    const before = await clientFacts(trx, client);
    const plan = await planOffboarding(trx, client, now);
    await markOffboarded(trx, client, now);
    for (const { id } of plan.revoked)
      await trx.updateTable("agents").set({ state: "revoked" }).where("id", "=", id).execute();
    for (const { id } of plan.kept)
      await trx.deleteFrom("agent_clients").where("agent_id", "=", id).where("client", "=", client).execute();
    for (const table of ["api_keys", "sftp_accounts"] as const)
      await trx
        .updateTable(table)
        .set({ revoked_at: now })
        .where("client", "=", client)
        .where("revoked_at", "is", null)
        .execute();
    await endWebhooks(trx, client, now);
    for (const { secret_hash } of await codesOf(trx, client))
      await trx
        .deleteFrom("invitations")
        .where("secret_hash", "=", secret_hash)
        .where("used_key", "is", null)
        .execute();
    await shutOutPeople(trx, client, now);
    const ended = { ...plan, revoked: plan.revoked.map(({ id }) => id), kept: plan.kept.map(({ id }) => id) };
    record({
      act: "client.offboard",
      subject: { kind: "client", id: client },
      client,
      before,
      after: { ...(await clientFacts(trx, client)), ended },
    });
    return plan;
  });
}

async function shutOutPeople(trx: Writer, client: string, now: number): Promise<void> {
  for (const id of await peopleOf(trx, client)) {
    await trx.updateTable("people").set({ disabled_at: now }).where("id", "=", id).execute();
    await signOut(trx, id);
  }
  await trx
    .deleteFrom("people_invitations")
    .where("client", "=", client)
    .where("used_at", "is", null)
    .execute();
}

/** Uploaders who may log in; their ids. */
async function peopleOf(db: Database, client: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("people")
    .select("id")
    .where("client", "=", client)
    .where("disabled_at", "is", null)
    .execute();
  return rows.map(({ id }) => id);
}

/** How many links there are that are still good and would make one. */
async function linksOf(db: Database, client: string, now: number): Promise<number> {
  const rows = await db
    .selectFrom("people_invitations")
    .select("secret_hash")
    .where("client", "=", client)
    .where("kind", "=", "invite")
    .where("used_at", "is", null)
    .where("expires_at", ">", now)
    .execute();
  return rows.length;
}

async function endWebhooks(trx: Writer, client: string, now: number): Promise<void> {
  const ended = await trx
    .updateTable("webhooks")
    .set((eb) => ({ revoked_at: now, generation: eb("generation", "+", 1), secret: "" }))
    .where("client", "=", client)
    .where("revoked_at", "is", null)
    .returning("id")
    .execute();
  for (const { id } of ended) await trx.deleteFrom("webhook_events").where("webhook", "=", id).execute();
}

async function agentsOf(db: Database, client: string) {
  const rows = await db
    .selectFrom("agent_clients as mine")
    .innerJoin("agents", "agents.id", "mine.agent_id")
    .select(["agents.id", "agents.name", "agents.status"])
    .select((eb) =>
      eb
        .selectFrom("agent_clients as other")
        .select((count) => count.fn.countAll<number>().as("others"))
        .whereRef("other.agent_id", "=", "agents.id")
        .where("other.client", "<>", client)
        .as("others"),
    )
    .where("mine.client", "=", client)
    .where("agents.state", "<>", "revoked")
    .orderBy("agents.id")
    .execute();
  return rows.map(({ id, name, status, others }) => ({
    id,
    name,
    others: Number(others),
    waiting: waitingOf(status),
  }));
}

function waitingOf(status: string | null): number {
  const parsed = agentStatus.safeParse(status === null ? null : JSON.parse(status));
  return parsed.success ? parsed.data.queue.depth : 0;
}

/** Codes that nobody has used, ended ones too: one that names others as well would still let an agent act for this client. */
async function codesOf(db: Database, client: string) {
  const rows = await db
    .selectFrom("invitations")
    .select(["secret_hash", "clients", "expires_at"])
    .where("used_key", "is", null)
    .execute();
  return rows.filter(({ clients }) => (JSON.parse(clients) as string[]).includes(client));
}
