/** Webhooks as the commands see them: made, revoked, sent back to an earlier place. */
import { randomBytes } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { instant, slug } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { holdClient } from "../ledger/clients.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { parseCursor } from "../tail/cursor.ts";
import { HEALTHY } from "./policy.ts";
import { newSecret } from "./signature.ts";

/** A cursor of `/v1/events` or of an event, a time (RFC 3339), a day (UTC), or "beginning". */
export type From = string;

const day = z.iso.date();

export interface NewWebhook {
  /** Checked with `parseUrl`, and its address with `refusalOf`. */
  readonly url: URL;
  readonly client?: string | undefined;
  readonly source?: string | undefined;
  readonly name?: string | undefined;
  /** Default: what arrives from now on. */
  readonly from?: From | undefined;
}

/** Throws `request-invalid`. */
export function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol))
    throw new ProblemError(
      "request-invalid",
      `"${text}" is no address to send to; expected one such as https://example.com/arrivals`,
    );
  if (url.username !== "" || url.password !== "")
    throw new ProblemError(
      "request-invalid",
      "the address holds a user or a password, which everybody would see who lists the webhooks; every request is signed, so none is needed",
    );
  url.hash = "";
  return url;
}

/** `close` gives the stored form of the secret. The secret cannot be shown again. Throws `request-invalid`, `not-found`, `cursor-invalid`, `cursor-gone`. */
export async function addWebhook(
  db: Database,
  wanted: NewWebhook,
  close: (secret: string, id: string) => string,
  now = Date.now(),
): Promise<{ readonly id: string; readonly secret: string }> {
  const { client = null, source = null, name = null, from } = wanted;
  if (source !== null && !slug.safeParse(source).success)
    throw new ProblemError("request-invalid", `"${source}" is not a source name (a-z, 0-9 and -)`);
  const id = randomBytes(8).toString("hex");
  const secret = newSecret();
  const closed = close(secret, id);
  await writing(db, async (trx) => {
    if (client !== null) await holdClient(trx, client);
    const site = await positionOf(trx);
    const cursor = from === undefined ? site.seq : await seqOf(trx, from, site);
    await trx
      .insertInto("webhooks")
      .values({
        ...{ id, url: wanted.url.href, name, client, source, secret: closed },
        created_at: now,
        epoch: site.epoch,
        begins_after: cursor,
        cursor_seq: cursor,
        generation: 0,
        ...{ failures: HEALTHY.failures, paused_until: HEALTHY.pausedUntil, leased_until: 0 },
      })
      .execute();
  });
  return { id, secret };
}

/** In force everywhere within 5 s; what it was told in vain and its secret are forgotten. Twice keeps the first time. Throws `not-found`. */
export async function revokeWebhook(db: Database, id: string, now = Date.now()): Promise<void> {
  await writing(db, async (trx) => {
    const result = await trx
      .updateTable("webhooks")
      .set((eb) => ({
        revoked_at: eb.fn.coalesce("revoked_at", eb.val(now)),
        generation: eb("generation", "+", 1),
        secret: "",
      }))
      .where("id", "=", id)
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) === 0) throw unknown(id);
    await trx.deleteFrom("webhook_events").where("webhook", "=", id).execute();
  });
}

export interface Replay {
  /** Everything from here on once more. */
  readonly from?: From | undefined;
  /** Dead letters are sent again: these events, or all when the list is empty. */
  readonly dead?: readonly string[] | undefined;
}

/** What a replay set in motion. */
export interface Replayed {
  /** Dead letters that are told again. */
  readonly dead: number;
}

/**
 * Sends a webhook back to an earlier place, or sends its dead letters again. Either also takes up one that had ended
 * with 410 or lost its place, and makes everything that waits due now. Throws `not-found`, `request-invalid`, `cursor-invalid`, `cursor-gone`.
 */
export async function replayWebhook(
  db: Database,
  id: string,
  { from, dead }: Replay,
  now = Date.now(),
): Promise<Replayed> {
  return await writing(db, async (trx) => {
    const webhook = await trx.selectFrom("webhooks").selectAll().where("id", "=", id).executeTakeFirst();
    if (webhook === undefined) throw unknown(id);
    if (webhook.revoked_at !== null)
      throw new ProblemError("request-invalid", `webhook ${id} is revoked; add a new one`);
    const site = await positionOf(trx);
    const seq = from === undefined ? webhook.cursor_seq : await seqOf(trx, from, site);
    if (from === undefined && webhook.epoch !== site.epoch)
      throw new ProblemError(
        "request-invalid",
        `webhook ${id} has lost its place in the ledger: say from where it goes on, with --from`,
      );
    if (seq > webhook.cursor_seq && webhook.epoch === site.epoch)
      throw new ProblemError(
        "request-invalid",
        `webhook ${id} has not been told everything up to there yet, and nothing is left out`,
      );
    await trx
      .updateTable("webhooks")
      .set((eb) => ({
        epoch: site.epoch,
        cursor_seq: seq,
        begins_after: Math.min(seq, webhook.begins_after),
        generation: eb("generation", "+", 1),
        gone_at: null,
        paused_until: 0,
      }))
      .where("id", "=", id)
      .execute();
    await trx
      .updateTable("webhook_events")
      .set({ due_at: now })
      .where("webhook", "=", id)
      .where("due_at", ">", now)
      .execute();
    return { dead: dead === undefined ? 0 : await revive(trx, id, dead, now) };
  });
}

async function revive(trx: Writer, id: string, events: readonly string[], now: number): Promise<number> {
  let rows = trx
    .updateTable("webhook_events")
    .set({ due_at: now, tries: 0 })
    .where("webhook", "=", id)
    .where("due_at", "is", null);
  if (events.length > 0) rows = rows.where("version_id", "in", events);
  const revived = Number((await rows.executeTakeFirst()).numUpdatedRows);
  if (revived < events.length)
    throw new ProblemError(
      "not-found",
      `not all of these are dead letters of webhook ${id}; see: tributary-receiver webhook list --dead`,
    );
  return revived;
}

/** The seq after which to go on. */
async function seqOf(
  trx: Writer,
  from: From,
  site: { readonly epoch: string; readonly seq: number },
): Promise<number> {
  if (from === "beginning") return 0;
  if (!/^\d{4}-/.test(from)) return cursorSeq(from, site);
  // Without an offset it would mean another time on each host, and 31 February is some day in March to `Date.parse`.
  if (!day.safeParse(from).success && !instant.safeParse(from).success)
    throw new ProblemError("request-invalid", noPlace(from));
  const at = Date.parse(from);
  const first = await trx
    .selectFrom("entries")
    .select((eb) => eb.fn.min("seq").as("seq"))
    .where("received_at", ">=", at)
    .executeTakeFirst();
  return first?.seq == null ? site.seq : first.seq - 1;
}

function cursorSeq(text: string, site: { readonly epoch: string; readonly seq: number }): number {
  try {
    return parseCursor(text, site);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const message =
      error.code === "cursor-gone"
        ? "the ledger was rebuilt since this cursor was given: name a time, or beginning"
        : noPlace(text);
    throw new ProblemError(error.code, message);
  }
}

function noPlace(text: string): string {
  return `"${text.slice(0, 100)}" is no place to go on from; expected a cursor, a day such as 2026-01-31, a time such as 2026-01-31T05:00:00Z, or beginning`;
}

async function positionOf(trx: Writer): Promise<{ readonly epoch: string; readonly seq: number }> {
  return await named(() =>
    trx.selectFrom("site").select(["epoch", "last_seq as seq"]).where("id", "=", 1).executeTakeFirstOrThrow(),
  );
}

function unknown(id: string): ProblemError {
  return new ProblemError("not-found", `there is no webhook ${id}; see: tributary-receiver webhook list`);
}
