/** What an agent holds of receipts, read from its queue as it lies on the disk. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";

export function deliveredReceipts(agentData: string): string[] {
  return ask(agentData, (db) => db.prepare("SELECT receipt FROM deliveries ORDER BY seq").pluck().all(), []);
}

/** How many, without reading them. */
export function deliveries(agentData: string): number {
  return ask(agentData, (db) => db.prepare("SELECT coalesce(max(seq), 0) FROM deliveries").pluck().get(), 0);
}

function ask<T>(agentData: string, question: (db: Database.Database) => unknown, none: T): T {
  const file = join(agentData, "queue.sqlite");
  if (!existsSync(file)) return none;
  const db = new Database(file, { readonly: true });
  try {
    // An agent that has only just begun to make the file has no tables in it.
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'deliveries'").get() === undefined) return none;
    return question(db) as T;
  } finally {
    db.close();
  }
}
