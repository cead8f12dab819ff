/** What an agent holds of receipts, read from its queue as it lies on the disk. */
import { join } from "node:path";
import Database from "better-sqlite3";

export function deliveredReceipts(agentData: string): string[] {
  const db = new Database(join(agentData, "queue.sqlite"), { readonly: true });
  try {
    return db.prepare("SELECT receipt FROM deliveries ORDER BY seq").pluck().all() as string[];
  } finally {
    db.close();
  }
}
