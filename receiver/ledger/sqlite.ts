/**
 * The embedded ledger: one SQLite file in WAL mode, synchronous=FULL (a commit that returned is on the disk), opened
 * by `serve` and by commands at the same time. Waiting for another process's write is done with timers, not inside
 * SQLite, so that the event loop goes on.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolder } from "@tributary/shared/folder.ts";
import { packagedSqlite } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import SqliteFile from "better-sqlite3";
import type { Driver, SqliteDatabase, TransactionSettings } from "kysely";
import { CompiledQuery, type DatabaseConnection, Kysely, SqliteDialect, SqliteDriver, sql } from "kysely";
import type { LedgerDatabase } from "./database.ts";
import { reason } from "./database.ts";
import type { Held, SiteLock } from "./lock.ts";
import { migrate } from "./migrations.ts";
import type { Tables } from "./schema.ts";

const BUSY_MS = 10_000;
/** Inside SQLite, for the usual wait of one foreign commit. */
const BUSY_INSIDE_MS = 5;

export async function openSqlite(path: string): Promise<LedgerDatabase> {
  const file = resolve(path);
  const handle = openFile(file);
  try {
    await patiently(() => handle.pragma("journal_mode = WAL"));
    handle.pragma("synchronous = FULL");
    handle.pragma("foreign_keys = ON");
    // A commit of hundreds touches pages all over the indexes: without room for them they would be written twice, and
    // with a checkpoint behind each commit three times.
    handle.pragma("cache_size = -8000");
    handle.pragma("wal_autocheckpoint = 8000");
    handle.pragma("journal_size_limit = 67108864");
  } catch (cause) {
    handle.close();
    throw unusable(file, cause);
  }
  const db = new Kysely<Tables>({ dialect: new PatientDialect(handle) });
  try {
    await migrate(db, "sqlite");
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return {
    db,
    clock: sql<number>`cast(unixepoch('now', 'subsec') * 1000 as integer)`,
    siteLock: fileLock(`${file}.lock`),
    oneReceiver: true,
    free: () => freeBytes(file),
    close: () => db.destroy(),
  };
}

/** Only its owner may read it: it holds digests of secrets. SQLite gives its side files the same mode. */
function openFile(file: string): SqliteFile.Database {
  try {
    makeFolder(dirname(file), { fresh: !existsSync(file) });
    closeSync(openSync(file, "a", 0o600));
    const nativeBinding = packagedSqlite(dirname(file)) as never;
    return new SqliteFile(file, { timeout: BUSY_INSIDE_MS, nativeBinding });
  } catch (cause) {
    throw unusable(file, cause);
  }
}

async function freeBytes(file: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dirname(file));
    return bavail * bsize;
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function unusable(file: string, cause: unknown): ProblemError {
  return new ProblemError("ledger-unavailable", `cannot open the ledger ${file}: ${reason(cause)}`, {
    cause,
  });
}

class PatientDialect extends SqliteDialect {
  readonly #file: SqliteFile.Database;

  constructor(file: SqliteFile.Database) {
    super({ database: file });
    this.#file = file;
  }

  override createDriver(): Driver {
    return new PatientDriver(this.#file);
  }
}

/** Kysely's own begins deferred: its first write could then fail for good, because another commit came in between. */
class PatientDriver extends SqliteDriver {
  readonly #file: SqliteFile.Database;
  #patient: DatabaseConnection | undefined;

  constructor(file: SqliteFile.Database) {
    super({ database: preparedOnce(file) });
    this.#file = file;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    this.#patient ??= {
      executeQuery: (query) =>
        this.#file.inTransaction
          ? connection.executeQuery(query)
          : patiently(() => connection.executeQuery(query)),
      streamQuery: (query, size) => connection.streamQuery(query, size),
    };
    return this.#patient;
  }

  override async beginTransaction(
    connection: DatabaseConnection,
    settings?: TransactionSettings,
  ): Promise<void> {
    const begin = settings?.accessMode === "read only" ? "begin" : "begin immediate";
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  /** SQLite has rolled back by itself after some errors; a second rollback would hide the first error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#file.inTransaction) await super.rollbackTransaction(connection);
  }
}

const MOST_PREPARED = 64;
const LONGEST_PREPARED = 4096;

/**
 * Kysely prepares a statement at each use, which takes longer than most of ours take to run: the last used ones are
 * kept by their text. Nothing streams here, so no statement is asked for while it still runs.
 */
function preparedOnce(file: SqliteFile.Database): SqliteDatabase {
  const kept = new Map<string, SqliteFile.Statement>();
  return {
    close: () => void file.close(),
    prepare: (text) => {
      const statement = kept.get(text) ?? file.prepare(text);
      if (text.length > LONGEST_PREPARED) return statement;
      kept.delete(text);
      kept.set(text, statement);
      if (kept.size > MOST_PREPARED) kept.delete(kept.keys().next().value as string);
      return statement;
    },
  };
}

async function patiently<T>(work: () => T | Promise<T>): Promise<T> {
  const until = performance.now() + BUSY_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const busy = String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY");
      if (!busy || performance.now() > until) throw error;
      await sleep(1 + Math.random() * 9);
    }
  }
}

/**
 * A second small file with a transaction held open: the system lets go of it when the process ends. A receiver has
 * the one place of a writer, which leaves readers in; who is alone shuts readers out too.
 */
function fileLock(file: string): SiteLock {
  const take = async (begin: string, refusal: string): Promise<Held> => {
    const handle = new SqliteFile(file, {
      timeout: 0,
      nativeBinding: packagedSqlite(dirname(file)) as never,
    });
    try {
      handle.exec(begin);
    } catch (cause) {
      handle.close();
      if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY")) throw unusable(file, cause);
      throw new ProblemError("ledger-refused", refusal, { cause });
    }
    return {
      release: async () => {
        handle.close();
      },
    };
  };
  const name = file.slice(0, -".lock".length);
  return {
    share: () =>
      take(
        "begin immediate",
        `the ledger ${name} is in use: another receiver serves it, or a rebuild or restore is running; an SQLite ledger has one receiver`,
      ),
    beside: () =>
      take(
        // The read takes the lock; the transaction keeps it.
        "begin; select count(*) from sqlite_schema",
        `the ledger ${name} is being rebuilt or restored: run this again when that has ended`,
      ),
    alone: () =>
      take("begin exclusive", `the ledger ${name} is in use: stop its receiver first, then run this again`),
  };
}
