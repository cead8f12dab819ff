/** New SQLite ledgers in temporary folders, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { LedgerDatabase } from "./database.ts";
import { openSqlite } from "./sqlite.ts";

/** Its file, and one more connection to it at each `open`. All are closed, and the file is gone, when the test has finished. */
export async function sqlitePlace(): Promise<{ file: string; open: () => Promise<LedgerDatabase> }> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "ledger.sqlite");
  const open = async (): Promise<LedgerDatabase> => {
    const database = await openSqlite(file);
    onTestFinished(() => database.close());
    return database;
  };
  return { file, open };
}
