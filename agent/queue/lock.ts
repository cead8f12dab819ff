/** One `run` per data folder: two would hand out the same parcels and seal the same files twice. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { packagedSqlite } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import Database from "better-sqlite3";
import { unusable } from "./database.ts";

/**
 * Holds an exclusive transaction on `run.lock` until released; the lock dies with its process, however that ends.
 * Throws `usage` when another `run` holds it.
 */
export function lockDataFolder(data: string): { release(): void } {
  const file = join(data, "run.lock");
  const db = opened(file, { timeout: 200 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    db.close();
    if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY"))
      throw unusable(cause, file, REMEDY) ?? cause;
    throw new ProblemError(
      "usage",
      `another "tributary-agent run" works with ${data}; stop it first, or give this one its own --data`,
      { cause },
    );
  }
  return { release: () => void db.close() };
}

/** How long a command may take that holds a file's lock: it asks nobody anything meanwhile. */
const ALONE_MS = 20_000;

/** Does the work while nobody else holds this lock of the data folder; however a process ends, its lock is gone. Throws `usage` when it is not to be had. */
export function alone<T>(data: string, name: string, work: () => T): T {
  const file = join(data, name);
  const db = opened(file, { timeout: ALONE_MS });
  try {
    db.exec("BEGIN EXCLUSIVE");
    return work();
  } catch (cause) {
    if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY"))
      throw unusable(cause, file, REMEDY) ?? cause;
    throw new ProblemError("usage", `another command works with ${file}; run this again when it is done`, {
      cause,
    });
  } finally {
    db.close();
  }
}

/** Whether a `run` works with this data folder now. A reader's look, too short to keep a `run` from starting. */
export function isDataFolderLocked(data: string): boolean {
  const file = join(data, "run.lock");
  if (!existsSync(file)) return false;
  const db = opened(file, { timeout: 0, readonly: true });
  try {
    db.prepare("SELECT COUNT(*) FROM sqlite_master").get();
    return false;
  } catch (cause) {
    if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY"))
      throw unusable(cause, file, REMEDY) ?? cause;
    return true;
  } finally {
    db.close();
  }
}

const REMEDY = "it holds nothing: remove it while no agent runs";

function opened(file: string, options: Database.Options): Database.Database {
  try {
    return new Database(file, { ...options, nativeBinding: packagedSqlite(dirname(file)) as never });
  } catch (cause) {
    throw unusable(cause, file, REMEDY) ?? cause;
  }
}
