/**
 * The ledger for more than one receiver: PostgreSQL, whose row lock on `site` orders the commits of all of them.
 * Every session commits synchronously whatever the server's default is, and one that hangs inside a transaction is
 * ended by the server, so that a stopped process does not hold up the site.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { type LedgerDatabase, named, reason } from "./database.ts";
import type { Held, SiteLock } from "./lock.ts";
import { migrate } from "./migrations.ts";
import type { Database, Tables } from "./schema.ts";

const SESSION = "-c synchronous_commit=on -c idle_in_transaction_session_timeout=60000";
const INT8 = 20;
/** Any fixed number: the site lock among the advisory locks of this database; the schema is the other half. */
const SITE_LOCK = 7_254_002;

export async function openPostgres(url: string): Promise<LedgerDatabase> {
  const settings: pg.ClientConfig = {
    connectionString: withSession(url),
    application_name: "tributary-receiver",
    connectionTimeoutMillis: 10_000,
    // A network that swallows packets is noticed in minutes, not hours.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: 120_000,
    types: { getTypeParser },
  };
  const pool = new pg.Pool({ ...settings, max: 10 });
  // An idle connection that the server ends is replaced at its next use; without a listener it would end the process.
  pool.on("error", () => {});
  // The pool does not listen to a connection that is in use; what was under way on it fails and says so.
  pool.on("connect", (client) => void client.on("error", () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await named(() => requireSession(db));
    await migrate(db, "postgres");
  } catch (error) {
    await db.destroy();
    if (error instanceof ProblemError && error.code === "ledger-refused") throw error;
    throw new ProblemError(
      "ledger-unavailable",
      `cannot open the ledger in PostgreSQL at ${address(url)}: ${reason(error)}`,
      { cause: error },
    );
  }
  return {
    db,
    clock: sql<number>`cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)`,
    siteLock: advisoryLock(settings, address(url)),
    oneReceiver: false,
    free: async () => undefined,
    close: () => db.destroy(),
  };
}

/** Sizes and times fit a JavaScript number; pg would give int8 as text. */
function getTypeParser(oid: number, format?: "text" | "binary"): ReturnType<typeof pg.types.getTypeParser> {
  return oid === INT8 ? Number : pg.types.getTypeParser(oid, format as "text");
}

/** Our session settings go behind those that the URL already carries. */
function withSession(url: string): string {
  const given = /[?&]options=([^&#]*)/.exec(url)?.[1];
  const options =
    given === undefined ? encodeURIComponent(SESSION) : `${given}%20${encodeURIComponent(SESSION)}`;
  return given === undefined
    ? `${url}${url.includes("?") ? "&" : "?"}options=${options}`
    : url.replace(/([?&]options=)[^&#]*/, `$1${options}`);
}

/** Where the ledger is, without the password. */
function address(url: string): string {
  // To the last @: a password that should have been percent-encoded may hold any character.
  return url.replace(/^([a-z]+:\/\/).*@/is, "$1").replace(/\?.*$/s, "");
}

async function requireSession(db: Database): Promise<void> {
  const { rows } = await sql<{ commit: string; encoding: string }>`
    select current_setting('synchronous_commit') as commit, current_setting('server_encoding') as encoding`.execute(
    db,
  );
  if (rows[0]?.commit !== "on") {
    throw new ProblemError(
      "ledger-refused",
      "the PostgreSQL session does not commit synchronously: a pooler in between drops session settings; connect to the server itself",
    );
  }
  if (rows[0].encoding !== "UTF8") {
    throw new ProblemError(
      "ledger-refused",
      `the PostgreSQL database is encoded in ${rows[0].encoding}; paths need UTF8: create it with ENCODING 'UTF8'`,
    );
  }
}

/** Session locks on a connection of their own: the server lets go of them when the connection ends. */
function advisoryLock(settings: pg.ClientConfig, where: string): SiteLock {
  const attempt = async (statement: string, refusal: string): Promise<pg.Client> => {
    const client = new pg.Client(settings);
    client.on("error", () => {});
    try {
      await named(() => client.connect());
      const { rows } = await named(() => client.query<{ had: boolean }>(statement, [SITE_LOCK]));
      if (rows[0]?.had !== true) throw new ProblemError("ledger-refused", refusal);
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
  };
  const shared = (): Promise<pg.Client> =>
    attempt(
      "select pg_try_advisory_lock_shared($1, hashtext(current_schema())) as had",
      `the ledger at ${where} is being rebuilt or restored: start this again when that has ended`,
    );
  return {
    async share(lost) {
      let released = false;
      let client = await shared();
      const watch = (): void => void client.once("end", () => void again());
      const again = async (): Promise<void> => {
        while (!released) {
          try {
            client = await shared();
            if (released) await client.end();
            else watch();
            return;
          } catch (error) {
            if (error instanceof ProblemError && error.code === "ledger-refused") return lost(error);
            await sleep(1000, undefined, { ref: false });
          }
        }
      };
      watch();
      return {
        async release() {
          released = true;
          await client.end();
        },
      };
    },
    async beside(): Promise<Held> {
      const client = await shared();
      return { release: () => client.end() };
    },
    async alone(): Promise<Held> {
      const client = await attempt(
        "select pg_try_advisory_lock($1, hashtext(current_schema())) as had",
        `receivers are running on the ledger at ${where}: stop all of them first, then run this again`,
      );
      return { release: () => client.end() };
    },
  };
}
