/**
 * What the ledger keeps of webhooks that run: their leases, how far they are, what waits to be told again. A receiver
 * changes only webhooks whose lease it holds, and only in the generation that it began with.
 */
import { type Selectable, sql } from "kysely";
import { type LedgerDatabase, named, type Writer, writing } from "../ledger/database.ts";
import type { Tables } from "../ledger/schema.ts";
import { FARTHEST } from "./policy.ts";
import type { Health, WaitingEvent, Webhook } from "./webhook.ts";

/** `free`: nobody holds its lease. */
export type Leasable = Webhook & { readonly lease: string | null; readonly free: boolean };

/** A receiver that was killed leaves its webhooks to the others after this. */
const LEASE_MS = 15_000;

export interface FailedEvent {
  readonly versionId: string;
  readonly seq: number;
  readonly tries: number;
  /** Undefined: it is a dead letter from now on. */
  readonly dueAt: number | undefined;
  readonly why: string;
}

/** What one webhook's attempts came to since the last time. Times in ms since 1970. */
export interface Progress {
  readonly cursor: number;
  readonly health: Health;
  /** Events that need no row any more. */
  readonly delivered: readonly string[];
  readonly failed: readonly FailedEvent[];
  readonly successAt: number | undefined;
  readonly failure: { readonly at: number; readonly why: string } | undefined;
  readonly gone: boolean;
  /** Everything that waits is due now. */
  readonly hasten: boolean;
  readonly at: number;
}

export interface Counts {
  readonly waiting: number;
  readonly dead: number;
}

export class WebhookRows {
  readonly #database: Pick<LedgerDatabase, "db" | "clock">;

  constructor(database: Pick<LedgerDatabase, "db" | "clock">) {
    this.#database = database;
  }

  /** Those that are to be told now, whoever holds their lease. A suspended client's own rest; nobody's place is guessed after a change of the epoch. */
  async active(): Promise<readonly Leasable[]> {
    const rows = await named(() =>
      this.#database.db
        .selectFrom("webhooks as w")
        .leftJoin("clients", "clients.name", "w.client")
        .innerJoin("site", "site.epoch", "w.epoch")
        .selectAll("w")
        .select(this.#isFree().as("free"))
        .where("revoked_at", "is", null)
        .where("gone_at", "is", null)
        .where("suspended_at", "is", null)
        .orderBy("w.id")
        .execute(),
    );
    return rows.map((row) => ({ ...webhookOf(row), lease: row.lease, free: Boolean(row.free) }));
  }

  /** Takes the leases of these that nobody holds, and keeps our own for longer. Gives the ids of those that are ours now. */
  async lease(owner: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set();
    const { clock } = this.#database;
    const rows = await writing(this.#database.db, (trx) =>
      trx
        .updateTable("webhooks")
        .set({ lease: owner, leased_until: sql<number>`${clock} + ${sql.lit(LEASE_MS)}` })
        .where("id", "in", ids)
        .where((eb) => eb.or([eb("lease", "=", owner), this.#isFree()]))
        .returning("id")
        .execute(),
    );
    return new Set(rows.map(({ id }) => id));
  }

  /** It ran out, or is longer than any: then it was taken while the database's clock ran ahead. */
  #isFree() {
    const { clock } = this.#database;
    return sql<boolean>`(leased_until < ${clock} or leased_until > ${clock} + ${sql.lit(2 * LEASE_MS)})`;
  }

  /** For a receiver that stops: others need not wait. */
  async release(owner: string): Promise<void> {
    await writing(this.#database.db, (trx) =>
      trx.updateTable("webhooks").set({ leased_until: 0 }).where("lease", "=", owner).execute(),
    );
  }

  /** What is due, the longest first. */
  async due(id: string, now: number, limit: number): Promise<readonly WaitingEvent[]> {
    const rows = await named(() =>
      this.#database.db
        .selectFrom("webhook_events")
        .selectAll()
        .where("webhook", "=", id)
        .where((eb) => eb.or([eb("due_at", "<=", now), eb("due_at", ">", now + FARTHEST)]))
        .orderBy("due_at")
        .orderBy("seq")
        .limit(limit)
        .execute(),
    );
    return rows.map((row) => ({
      versionId: row.version_id,
      seq: row.seq,
      tries: row.tries,
      dueAt: row.due_at as number,
    }));
  }

  async counts(id: string): Promise<Counts> {
    const row = await named(() =>
      this.#database.db
        .selectFrom("webhook_events")
        .select((eb) => [eb.fn.count<number>("due_at").as("waiting"), eb.fn.countAll<number>().as("all")])
        .where("webhook", "=", id)
        .executeTakeFirstOrThrow(),
    );
    return { waiting: Number(row.waiting), dead: Number(row.all) - Number(row.waiting) };
  }

  /** False when the webhook is not ours any more, or somebody changed its course: nothing was recorded. */
  async record(
    webhook: Pick<Webhook, "id" | "generation">,
    owner: string,
    progress: Progress,
  ): Promise<boolean> {
    const { id } = webhook;
    const { health, successAt, failure } = progress;
    return await writing(this.#database.db, async (trx) => {
      const ours = await trx
        .updateTable("webhooks")
        .set({
          cursor_seq: progress.cursor,
          failures: health.failures,
          failing_since: health.failingSince,
          paused_until: health.pausedUntil,
          ...(successAt === undefined ? {} : { last_success_at: successAt }),
          ...(failure === undefined ? {} : { last_failure_at: failure.at, last_failure: failure.why }),
          ...(progress.gone ? { gone_at: progress.at } : {}),
        })
        .where("id", "=", id)
        .where("lease", "=", owner)
        .where("generation", "=", webhook.generation)
        .where("revoked_at", "is", null)
        .executeTakeFirst();
      if (Number(ours.numUpdatedRows) === 0) return false;
      if (progress.delivered.length > 0)
        await trx
          .deleteFrom("webhook_events")
          .where("webhook", "=", id)
          .where("version_id", "in", progress.delivered)
          .execute();
      for (const event of progress.failed) await putBack(trx, id, event, progress.at);
      if (progress.hasten)
        await trx
          .updateTable("webhook_events")
          .set({ due_at: progress.at })
          .where("webhook", "=", id)
          .where("due_at", ">", progress.at)
          .execute();
      return true;
    });
  }
}

async function putBack(trx: Writer, webhook: string, event: FailedEvent, at: number): Promise<void> {
  const again = { tries: event.tries, tried_at: at, due_at: event.dueAt ?? null, failure: event.why };
  await trx
    .insertInto("webhook_events")
    .values({ webhook, version_id: event.versionId, seq: event.seq, ...again })
    .onConflict((oc) => oc.columns(["webhook", "version_id"]).doUpdateSet(again))
    .execute();
}

function webhookOf(row: Selectable<Tables["webhooks"]>): Webhook {
  return {
    id: row.id,
    url: row.url,
    client: row.client,
    source: row.source,
    secret: row.secret,
    cursor: row.cursor_seq,
    generation: row.generation,
    health: { failures: row.failures, failingSince: row.failing_since, pausedUntil: row.paused_until },
  };
}
