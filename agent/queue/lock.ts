/** One `run` per data folder: two would hand out the same parcels and seal the same files twice. */
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import Database from "better-sqlite3";

/**
 * Holds an exclusive transaction on `run.lock` until released; the lock dies with its process, however that ends.
 * Throws `usage` when another `run` holds it.
 */
export function lockDataFolder(data: string): { release(): void } {
  const db = new Database(join(data, "run.lock"), { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    db.close();
    if (!String((cause as { code?: unknown }).code).startsWith("SQLITE_BUSY")) throw cause;
    throw new ProblemError(
      "usage",
      `another "tributary-agent run" works with ${data}; stop it first, or give this one its own --data`,
      { cause },
    );
  }
  return { release: () => void db.close() };
}
