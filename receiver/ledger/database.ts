/**
 * The database beneath the ledger. Two ways to write, so that nobody waits without need: `writing` for rows of their
 * own (clients, agents, keys, uploads), `committing` for entries, under the site lock that gives seq and time.
 * In SQLite both begin with the file's one write lock (BEGIN IMMEDIATE), so no transaction fails half way for a
 * stale snapshot; in PostgreSQL only `committing` locks the site's row.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type RawBuilder, sql, type Transaction } from "kysely";
import type { SiteLock } from "./lock.ts";
import type { Database, Tables } from "./schema.ts";

export type Writer = Transaction<Tables>;

/** An open, migrated ledger, whatever it is stored in. Only main.ts decides which. */
export interface LedgerDatabase {
  readonly db: Database;
  /** The database's own time, ms since 1970, as an expression: receivers' clocks may differ, this one decides. */
  readonly clock: RawBuilder<number>;
  readonly siteLock: SiteLock;
  /** Whether `siteLock` lets one receiver run at a time. */
  readonly oneReceiver: boolean;
  /** Bytes free on this host's disk for the ledger to grow, or undefined when it is another host's. */
  free(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Place in the commit order, held until the transaction ends. `now` is later than any commit before. */
export interface Turn {
  readonly lastSeq: number;
  readonly now: number;
}

/**
 * For rows that have no place in the commit order. Use `trx` for every statement inside, never the outer database. A
 * database that is a transaction already is joined, so that several changes and the record of them stand or fall together.
 */
export async function writing<T>(db: Database, work: (trx: Writer) => Promise<T>): Promise<T> {
  if (db.isTransaction) return await work(db as Writer);
  return await named(() => db.transaction().execute(work));
}

/** One consistent picture of every table, while others go on writing. */
export async function reading<T>(db: Database, work: (trx: Writer) => Promise<T>): Promise<T> {
  return await named(() =>
    db.transaction().setIsolationLevel("repeatable read").setAccessMode("read only").execute(work),
  );
}

/**
 * For entries. Time is strictly monotone in ms from commit to commit, so that an entry's `receivedAt` names exactly
 * one state of the ledger; after a clock jumped back it creeps on by 1 ms a commit until the clock has caught up.
 */
export async function committing<T>(
  database: Pick<LedgerDatabase, "db" | "clock">,
  work: (trx: Writer, turn: Turn) => Promise<T>,
): Promise<T> {
  return await locking(database, (trx, site) =>
    work(trx, { lastSeq: site.last_seq, now: Math.max(site.clock, site.last_commit_at + 1) }),
  );
}

/**
 * For what must not change while a commit decides, and is no entry. `clock`: the database's time as it is, ms since
 * 1970; it may have jumped.
 */
export async function betweenCommits<T>(
  database: Pick<LedgerDatabase, "db" | "clock">,
  work: (trx: Writer, clock: number) => Promise<T>,
): Promise<T> {
  return await locking(database, (trx, site) => work(trx, site.clock));
}

/** Under the lock on the site's row. */
async function locking<T>(
  { db, clock }: Pick<LedgerDatabase, "db" | "clock">,
  work: (
    trx: Writer,
    site: Pick<Tables["site"], "last_seq" | "last_commit_at"> & { readonly clock: number },
  ) => Promise<T>,
): Promise<T> {
  return await writing(db, async (trx) => {
    const site = await trx
      .updateTable("site")
      .set((eb) => ({ last_seq: eb.ref("last_seq") }))
      .where("id", "=", 1)
      .returning(["last_seq", "last_commit_at", clock.as("clock")])
      .executeTakeFirstOrThrow();
    return await work(trx, { ...site, clock: Math.floor(site.clock) });
  });
}

/** For `/readyz`: throws `ledger-unavailable` with the reason. */
export async function checkLedger(db: Database): Promise<void> {
  await named(() => sql`select epoch from site where id = 1`.execute(db));
}

/** What time it is for the ledger, ms since 1970. */
export async function ledgerClock({ db, clock }: Pick<LedgerDatabase, "db" | "clock">): Promise<number> {
  const { rows } = await named(() => sql<{ now: number }>`select ${clock} as now`.execute(db));
  return Number(rows[0]?.now);
}

const UNREACHABLE =
  /^(?:08|53|57P|57014|25P03|55P03)|^E(?:CONN|PIPE|TIMEDOUT|HOST|NET|NOTFOUND|AI_)|^SQLITE_(?:BUSY|LOCKED|IOERR|FULL|CANTOPEN|READONLY|CORRUPT|NOTADB)/;
const LOST =
  /connection (?:terminated|ended|closed|timeout)|client (?:has encountered|was closed)|timeout exceeded|not queryable|query read timeout|connection has been discarded/i;

/** Database errors that mean "not now" become `ledger-unavailable`; faults of ours stay what they are. */
export async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProblemError || !isUnavailable(error)) throw error;
    throw new ProblemError("ledger-unavailable", `the ledger did not answer: ${reason(error)}`, {
      cause: error,
    });
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (typeof code === "string" && UNREACHABLE.test(code)) || LOST.test(String(message));
}

/** An AggregateError (several addresses tried) has an empty message of its own. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message : String(error);
}
