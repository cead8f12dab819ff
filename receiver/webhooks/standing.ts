/** How webhooks are: what `webhook list` and the metrics tell. */
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { type Selectable, sql } from "kysely";
import { named } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { formatCursor } from "../tail/cursor.ts";
import { isDown, MOST_DEAD } from "./policy.ts";

/**
 * - `active`: it is told, or there is nothing to tell; `failing`: so many failures in a row that one event at a time
 *   asks whether the endpoint is there again;
 * - `suspended`: its client is; `gone`: it answered 410; `full`: too many dead letters; `lost`: its place is not one of
 *   this ledger. All of these go on from where they are, with `client resume` or `webhook replay`;
 * - `revoked`: for good.
 */
export type WebhookState = "active" | "failing" | "suspended" | "gone" | "full" | "lost" | "revoked";

/** A scrape must not count a ledger of millions, nor stop the receiver for long where many webhooks are behind. */
const MOST_LAG = 10_000;

/** How one is, but for how far behind: which takes a look into the entries for each. Times RFC 3339. */
export interface WebhookStanding {
  readonly id: string;
  readonly name: string | null;
  readonly url: string;
  readonly client: string | null;
  readonly source: string | null;
  readonly state: WebhookState;
  readonly failingSince: string | null;
  /** Told in vain, and told again later. */
  readonly waiting: number;
  /** Told in vain for the last time. */
  readonly dead: number;
  readonly lastSuccessAt: string | null;
  readonly lastFailureAt: string | null;
  readonly lastFailure: string | null;
  readonly cursor: string;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}

/** One line of `webhook list --json`. */
export interface WebhookView extends WebhookStanding {
  /** Entries that it was not told of yet; counted up to 10,000. */
  readonly lag: number;
}

/** One line of `webhook list --dead --json`. */
export interface DeadLetterView {
  readonly id: string;
  readonly webhook: string;
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly path: string;
  readonly pathEncoded: string;
  readonly tries: number;
  readonly lastTriedAt: string;
  readonly lastFailure: string;
}

/** Oldest first, revoked ones too; all, or those of a client alone. */
export async function listWebhooks(
  db: Database,
  filter: { readonly client?: string } = {},
): Promise<readonly WebhookView[]> {
  const views: WebhookView[] = [];
  for (const { row, standing } of await rowsOf(db, filter))
    views.push({ ...standing, lag: row.revoked_at === null ? await lagOf(db, row) : 0 });
  return views;
}

/** For who asks often: costs the same however far they are behind. In the same order. */
export async function webhookStandings(db: Database): Promise<readonly WebhookStanding[]> {
  return (await rowsOf(db, {})).map(({ standing }) => standing);
}

async function rowsOf(
  db: Database,
  { client }: { readonly client?: string },
): Promise<readonly { readonly row: Row; readonly standing: WebhookStanding }[]> {
  let webhooks = db
    .selectFrom("webhooks as w")
    .leftJoin("clients", "clients.name", "w.client")
    .leftJoin("site", "site.epoch", "w.epoch")
    .selectAll("w")
    .select(["suspended_at", "site.id as known"])
    .orderBy("w.created_at")
    .orderBy("w.id");
  if (client !== undefined) webhooks = webhooks.where("w.client", "=", client);
  const rows = await named(() => webhooks.execute());
  const counts = await rowCounts(db);
  return rows.map((row) => {
    const { waiting, dead } = counts.get(row.id) ?? { waiting: 0, dead: 0 };
    const standing = {
      ...{ id: row.id, name: row.name, url: row.url, client: row.client, source: row.source },
      state: stateOf(row, row.suspended_at !== null, row.known !== null, dead),
      failingSince: instant(row.failing_since),
      ...{ waiting, dead },
      lastSuccessAt: instant(row.last_success_at),
      lastFailureAt: instant(row.last_failure_at),
      lastFailure: row.last_failure,
      cursor: formatCursor({ epoch: row.epoch, seq: row.cursor_seq }),
      createdAt: new Date(row.created_at).toISOString(),
      revokedAt: instant(row.revoked_at),
    };
    return { row, standing };
  });
}

/** In the order of their webhooks and of the ledger. */
export async function listDeadLetters(db: Database): Promise<readonly DeadLetterView[]> {
  const rows = await named(() =>
    deadLetters(db)
      .innerJoin("webhooks as w", "w.id", "d.webhook")
      .orderBy("w.created_at")
      .orderBy("w.id")
      .orderBy("d.seq")
      .execute(),
  );
  return rows.map(deadLetterOf);
}

/** In the order of their webhooks' ids and of their events; `after`: both of the last one before, with a colon between. */
export async function pageOfDeadLetters(
  db: Database,
  query: {
    readonly webhook?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  },
): Promise<{ readonly items: readonly DeadLetterView[]; readonly next: string | null }> {
  let select = deadLetters(db)
    .orderBy("d.webhook")
    .orderBy("d.version_id")
    .limit(query.limit + 1);
  if (query.webhook !== undefined) select = select.where("d.webhook", "=", query.webhook);
  const [webhook = "", version = ""] = query.after?.split(":") ?? [];
  if (query.after !== undefined)
    select = select.where(sql<boolean>`(d.webhook, d.version_id) > (${webhook}, ${version})`);
  const rows = await named(() => select.execute());
  const items = rows.slice(0, query.limit).map(deadLetterOf);
  const last = items.at(-1);
  return { items, next: rows.length > query.limit && last ? `${last.webhook}:${last.id}` : null };
}

function deadLetters(db: Database) {
  return db
    .selectFrom("webhook_events as d")
    .innerJoin("entries as e", "e.version_id", "d.version_id")
    .select(["d.webhook", "d.version_id", "d.tries", "d.tried_at", "d.failure"])
    .select(["e.kind", "e.client", "e.source", "e.path_encoded"])
    .where("d.due_at", "is", null);
}

function deadLetterOf(
  row: Awaited<ReturnType<ReturnType<typeof deadLetters>["executeTakeFirstOrThrow"]>>,
): DeadLetterView {
  return {
    ...{ id: row.version_id, webhook: row.webhook, kind: row.kind, client: row.client, source: row.source },
    path: displayPath(decodePath(row.path_encoded)),
    pathEncoded: row.path_encoded,
    tries: row.tries,
    lastTriedAt: new Date(row.tried_at).toISOString(),
    lastFailure: row.failure,
  };
}

async function rowCounts(db: Database) {
  const rows = await named(() =>
    db
      .selectFrom("webhook_events")
      .select((eb) => [
        "webhook",
        eb.fn.count<number>("due_at").as("waiting"),
        eb.fn.countAll<number>().as("all"),
      ])
      .groupBy("webhook")
      .execute(),
  );
  return new Map(
    rows.map(({ webhook, waiting, all }) => [
      webhook,
      { waiting: Number(waiting), dead: Number(all) - Number(waiting) },
    ]),
  );
}

type Row = Selectable<Tables["webhooks"]>;

function stateOf(row: Row, suspended: boolean, known: boolean, dead: number): WebhookState {
  if (row.revoked_at !== null) return "revoked";
  if (!known) return "lost";
  if (row.gone_at !== null) return "gone";
  if (suspended) return "suspended";
  if (dead >= MOST_DEAD) return "full";
  return isDown(row) ? "failing" : "active";
}

async function lagOf(db: Database, { cursor_seq, client, source }: Row): Promise<number> {
  let rows = db.selectFrom("entries").select("seq").where("seq", ">", cursor_seq).limit(MOST_LAG);
  if (client !== null) rows = rows.where("client", "=", client);
  if (source !== null) rows = rows.where("source", "=", source);
  const counted = db.selectFrom(rows.as("lag")).select(sql<number>`count(*)`.as("count"));
  return Number((await named(() => counted.executeTakeFirstOrThrow())).count);
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
