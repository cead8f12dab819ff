/** Refusals as the ledger keeps them: added up by client, bearer and code, so that there are never more rows than there are bearers times codes. */
import { sql } from "kysely";
import { chunks } from "../ledger/chunks.ts";
import { named, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { type BearerKind, withRefusals } from "./schema.ts";

/** Refusals of one bearer for one client with one code, added up. Times: ms since 1970. */
export interface Refusals {
  /** Empty: the request named none of several. */
  readonly client: string;
  readonly bearer: string;
  readonly bearerKind: BearerKind;
  readonly code: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly lastDetail: string;
  readonly lastPath: string;
  readonly lastRequestId: string | null;
}

/** One line of the list. Times RFC 3339. */
export interface RefusalView extends Omit<Refusals, "firstAt" | "lastAt"> {
  /** What the agent, key or account is called; null: it has no name. */
  readonly name: string | null;
  readonly firstAt: string;
  readonly lastAt: string;
}

const DAY_MS = 86_400_000;
/** "120 times since 05:12" shall not reach back over a time when all was well. */
const ANEW_AFTER_MS = DAY_MS;
const KEPT_MS = 30 * DAY_MS;
const ROWS_OF_A_STATEMENT = 50;
const MOST = 1000;

/** Adds them to what is there, in one transaction. In the order of their keys, so that no two receivers wait for each other. */
export async function addRefusals(db: Database, all: readonly Refusals[]): Promise<void> {
  const ordered = all.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await writing(db, async (trx) => {
    for (const some of chunks(ordered, ROWS_OF_A_STATEMENT))
      await withRefusals(trx)
        .insertInto("refusals")
        .values(
          some.map((one) => ({
            ...{ client: one.client, bearer: one.bearer, code: one.code, bearer_kind: one.bearerKind },
            ...{ count: one.count, first_at: one.firstAt, last_at: one.lastAt },
            ...{ last_detail: storable(one.lastDetail), last_path: storable(one.lastPath) },
            last_request_id: one.lastRequestId,
          })),
        )
        .onConflict((oc) => {
          const anew = sql<boolean>`refusals.last_at < excluded.first_at - ${sql.lit(ANEW_AFTER_MS)}`;
          const newer = sql<boolean>`excluded.last_at >= refusals.last_at`;
          const last = <T>(column: string) =>
            sql<T>`case when ${newer} then ${sql.ref(`excluded.${column}`)} else ${sql.ref(`refusals.${column}`)} end`;
          return oc.columns(["client", "bearer", "code"]).doUpdateSet({
            count: sql<number>`case when ${anew} then excluded.count else refusals.count + excluded.count end`,
            first_at: sql<number>`case when ${anew} or excluded.first_at < refusals.first_at then excluded.first_at else refusals.first_at end`,
            last_at: last("last_at"),
            last_detail: last("last_detail"),
            last_path: last("last_path"),
            last_request_id: last("last_request_id"),
          });
        })
        .execute();
  });
}

/** Takes away what nobody was refused with for 30 days. */
export async function forgetRefusals(db: Database, now: number): Promise<void> {
  await named(() =>
    withRefusals(db)
      .deleteFrom("refusals")
      .where("last_at", "<", now - KEPT_MS)
      .execute(),
  );
}

/** The latest first. `since`: ms since 1970, of the last refusal; `limit` at most 1,000. */
export async function listRefusals(
  db: Database,
  asked: {
    readonly client?: string | undefined;
    readonly code?: string | undefined;
    readonly since: number;
    readonly limit?: number;
  },
): Promise<readonly RefusalView[]> {
  const { client, code, since, limit = 200 } = asked;
  let select = withRefusals(db)
    .selectFrom("refusals as r")
    .leftJoin("agents as a", "a.id", "r.bearer")
    .leftJoin("api_keys as k", "k.id", "r.bearer")
    .leftJoin("sftp_accounts as s", "s.id", "r.bearer")
    .selectAll("r")
    .select((eb) => eb.fn.coalesce("a.name", "k.name", "s.user_name").as("name"))
    .where("r.last_at", ">=", since);
  if (client !== undefined) select = select.where("r.client", "=", client);
  if (code !== undefined) select = select.where("r.code", "=", code);
  const rows = await named(() =>
    select
      .orderBy("r.last_at", "desc")
      .orderBy("r.client")
      .orderBy("r.bearer")
      .orderBy("r.code")
      .limit(Math.min(limit, MOST))
      .execute(),
  );
  return rows.map((row) => ({
    ...{ client: row.client, bearer: row.bearer, bearerKind: row.bearer_kind, name: row.name },
    ...{ code: row.code, count: row.count },
    firstAt: new Date(row.first_at).toISOString(),
    lastAt: new Date(row.last_at).toISOString(),
    ...{ lastDetail: row.last_detail, lastPath: row.last_path, lastRequestId: row.last_request_id },
  }));
}

/** What there is to choose from: the codes of the latest thousand. */
export async function refusalCodes(
  db: Database,
  { client, since }: { readonly client?: string | undefined; readonly since: number },
): Promise<readonly string[]> {
  const latest = withRefusals(db)
    .selectFrom("refusals")
    .select("code")
    .where("last_at", ">=", since)
    .$if(client !== undefined, (select) => select.where("client", "=", client ?? ""))
    .orderBy("last_at", "desc")
    .limit(MOST)
    .as("latest");
  const rows = await named(() => db.selectFrom(latest).select("code").distinct().orderBy("code").execute());
  return rows.map(({ code }) => code);
}

/** What makes one row. Neither names of clients, ids nor codes have a blank. */
export const keyOf = ({ client, bearer, code }: Pick<Refusals, "client" | "bearer" | "code">): string =>
  `${client} ${bearer} ${code}`;

/** PostgreSQL takes no NUL in a text, and what a sender named may have one: it must not keep all others from being remembered. */
const storable = (text: string): string => text.replaceAll("\0", "\ufffd").toWellFormed();
