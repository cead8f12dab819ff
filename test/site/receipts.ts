/** What an agent holds of receipts, read from its queue as it lies on the disk. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";

export function deliveredReceipts(agentData: string): string[] {
  const file = join(agentData, "queue.sqlite");
  if (!existsSync(file)) return [];
  const db = new Database(file, { readonly: true });
  try {
    // An agent that has only just begun to make the file has no tables in it.
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'deliveries'").get() === undefined) return [];
    return db.prepare("SELECT receipt FROM deliveries ORDER BY seq").pluck().all() as string[];
  } finally {
    db.close();
  }
}
