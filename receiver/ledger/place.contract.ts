/** New ledgers for tests: SQLite files in temporary folders, schemas of a PostgreSQL server. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostgresServer } from "@tributary/test/servers/postgres.ts";
import { freshDatabase } from "@tributary/test/servers/servers.ts";
import pg from "pg";
import { onTestFinished } from "vitest";
import type { LedgerDatabase } from "./database.ts";
import { openPostgres } from "./postgres.ts";
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

/** Each call gives a new ledger, and how to connect to it once more: a schema is one of its own, and made far faster than a database. */
export function postgresPlaces(server: PostgresServer): () => Promise<() => Promise<LedgerDatabase>> {
  let database: Promise<string> | undefined;
  return async () => {
    database ??= freshDatabase(server);
    const url = await database;
    const schema = `s${randomUUID().replaceAll("-", "")}`;
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`create schema ${schema}`);
    await client.end();
    return async () => {
      const opened = await openPostgres(`${url}?options=-c%20search_path%3D${schema}`);
      onTestFinished(() => opened.close());
      return opened;
    };
  };
}
