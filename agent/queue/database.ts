/** The queue's file: WAL and synchronous=FULL, so a commit survives a power cut, and `status` reads while `run` writes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { isPackaged, packagedSqlite, packagedTexts } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import Database from "better-sqlite3";

export type QueueFile = Database.Database;

/** Opens and migrates. Throws `disk-full` when there is no room for it, `queue-unusable` when it is damaged or closed to this account. */
export function openQueueFile(file: string): QueueFile {
  try {
    return open(file);
  } catch (cause) {
    throw unusable(cause, `the queue ${file}`, REMEDY) ?? cause;
  }
}

/** As it is, for looking alone; undefined where there is none, or one of another version, which only `run` brings up to date. */
export function openToRead(file: string): QueueFile | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const db = openDatabase(file);
    db.pragma("query_only = ON");
    if (schemaNumber(db) === (readMigrations().at(-1)?.number ?? 0)) return db;
    db.close();
    return undefined;
  } catch (cause) {
    throw unusable(cause, `the queue ${file}`, REMEDY) ?? cause;
  }
}

const REMEDY =
  "stop the agent, move this file and those beside it that end in -wal and -shm away, and start it again: it looks at every file anew, and what the receiver has already makes no new version";

/** A file that SQLite cannot work with, with what to do; undefined for any other failure. `remedy`: when it is damaged. */
export function unusable(cause: unknown, what: string, remedy: string): ProblemError | undefined {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(String(code)))
    return new ProblemError("queue-unusable", `${what} is damaged: ${message}; ${remedy}`, { cause });
  // The library says in words alone that there is no folder.
  if (/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(String(code)) || message.includes("directory does not exist"))
    return new ProblemError(
      "queue-unusable",
      `cannot open ${what}: ${message}; run this as the account that the agent runs as, and check --data`,
      { cause },
    );
  return undefined;
}

function open(file: string): QueueFile {
  return diskFull(() => {
    const db = openDatabase(file);
    try {
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = FULL");
      db.pragma("foreign_keys = ON");
      db.pragma("cache_size = -8000");
      db.pragma("journal_size_limit = 67108864");
      migrate(db);
      return db;
    } catch (cause) {
      db.close();
      throw cause;
    }
  });
}

function openDatabase(file: string): QueueFile {
  const nativeBinding = packagedSqlite(dirname(file)) as never;
  return new Database(file, { timeout: 10_000, nativeBinding });
}

/** No room is an expected state of a host: it gets its name, and whoever asked tries again later. */
export function diskFull<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause;
    throw new ProblemError(
      "disk-full",
      `the queue cannot be written: ${(cause as Error).message}; free space on the disk of --data`,
      {
        cause,
      },
    );
  }
}

/** In WAL mode a full disk also shows as a failed write of the log or of its index, not only as SQLITE_FULL. */
function isDiskFull(error: unknown): boolean {
  return /^(SQLITE_FULL|SQLITE_IOERR_(WRITE|SHMSIZE|SHMMAP|SHMOPEN|FSYNC|TRUNCATE)|ENOSPC|EDQUOT)$/.test(
    String((error as { code?: unknown }).code),
  );
}

function readMigrations(): readonly { readonly number: number; readonly text: string }[] {
  return migrationFiles().map(({ name, text }) => ({ number: Number(name.slice(0, 4)), text }));
}

function migrationFiles(): readonly { readonly name: string; readonly text: string }[] {
  if (isPackaged()) return packagedTexts("queue/");
  const folder = new URL("./migrations/", import.meta.url);
  return readdirSync(folder)
    .filter((name) => /^\d{4}-.+\.sql$/.test(name))
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));
}

function migrate(db: QueueFile): void {
  const known = readMigrations();
  const newest = known.at(-1)?.number ?? 0;
  if (schemaNumber(db) === newest) return;
  db.transaction(() => {
    const at = schemaNumber(db);
    if (at > newest)
      throw new ProblemError(
        "usage",
        `the queue's schema is number ${at}, this program knows up to ${newest}: a newer tributary-agent wrote it; run that version or a newer one`,
      );
    for (const migration of known.filter((m) => m.number > at)) db.exec(migration.text);
    db.pragma(`user_version = ${newest}`);
  }).immediate();
}

function schemaNumber(db: QueueFile): number {
  return db.pragma("user_version", { simple: true }) as number;
}
