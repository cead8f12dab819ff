/** What is done to webhooks: who is told of arrivals. */
import type { Act, Subject } from "../audit/audit.ts";
import { audited } from "../audit/audit.ts";
import type { Writer } from "../ledger/database.ts";
import {
  addWebhook as add,
  type NewWebhook,
  type Replay,
  type Replayed,
  replayWebhook as replay,
  revokeWebhook as revoke,
} from "../webhooks/register.ts";
import { type Administrator, change } from "./administrator.ts";

/** `close` gives the stored form of the secret, which cannot be shown again; it waits for nothing, since a transaction waits for it. Throws `request-invalid`, `not-found`, `cursor-invalid`, `cursor-gone`. */
export async function addWebhook(
  { db, who }: Administrator,
  wanted: NewWebhook,
  close: (secret: string, id: string) => string,
): Promise<{ readonly id: string; readonly secret: string }> {
  return await audited(db, who, async (trx, record) => {
    const made = await add(trx, wanted, close);
    const { client, source = null, name = null, from = null } = wanted;
    record({
      act: "webhook.add",
      subject: { kind: "webhook", id: made.id },
      client,
      before: null,
      after: { url: wanted.url.href, client: client ?? null, source, name, from },
    });
    return made;
  });
}

/** For good. Throws `not-found`. */
export const revokeWebhook = (by: Administrator, id: string): Promise<void> =>
  onWebhook(by, "webhook.revoke", id, (trx) => revoke(trx, id));

/** Throws `not-found`, `request-invalid`, `cursor-invalid`, `cursor-gone`. */
export const replayWebhook = (by: Administrator, id: string, asked: Replay): Promise<Replayed> =>
  onWebhook(by, "webhook.replay", id, (trx) => replay(trx, id, asked));

async function onWebhook<T>(
  by: Administrator,
  act: Act,
  id: string,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  const row = await by.db.selectFrom("webhooks").select("client").where("id", "=", id).executeTakeFirst();
  const facts = (trx: Writer): Promise<Subject> => webhookFacts(trx, id);
  return await change(by, { act, kind: "webhook", id, client: row?.client ?? undefined, facts }, work);
}

async function webhookFacts(trx: Writer, id: string): Promise<Subject> {
  const row = await trx.selectFrom("webhooks").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) return null;
  const dead = await trx
    .selectFrom("webhook_events")
    .select((eb) => eb.fn.countAll<number>().as("dead"))
    .where("webhook", "=", id)
    .where("due_at", "is", null)
    .executeTakeFirstOrThrow();
  const { url, name, client, source, cursor_seq, revoked_at, gone_at } = row;
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    ...{ url, name, client, source, position: cursor_seq, dead: Number(dead.dead) },
    ...{ revokedAt: time(revoked_at), goneAt: time(gone_at) },
  };
}
