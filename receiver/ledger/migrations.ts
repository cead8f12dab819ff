/**
 * The schema in numbered `.sql` files per dialect, each applied once, in order, in a transaction of its own that
 * begins with a lock: receivers that start at the same time take turns. A file that was released never changes.
 */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { isPackaged, packagedTexts } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Kysely, sql } from "kysely";
import { writing } from "./database.ts";
import type { Database } from "./schema.ts";

export type Dialect = "sqlite" | "postgres";

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
}

function readMigrations(dialect: Dialect): readonly Migration[] {
  return migrationFiles(dialect).map(({ name, text }) => ({ number: Number(name.slice(0, 4)), name, text }));
}

function migrationFiles(dialect: Dialect): readonly { readonly name: string; readonly text: string }[] {
  if (isPackaged()) return packagedTexts(`ledger/${dialect}/`);
  const folder = new URL(`./migrations/${dialect}/`, import.meta.url);
  return readdirSync(folder)
    .filter((name) => /^\d{4}-.+\.sql$/.test(name))
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));
}

/** Any fixed number: receivers of one database that migrate at the same time queue up here. */
const MIGRATION_LOCK = 7_254_001;

interface MigrationTable {
  migrations: { number: number; name: string; applied_at: number };
}

/** Brings the schema up to this program's, and writes the site's row at the very first open. */
export async function migrate(db: Database, dialect: Dialect): Promise<void> {
  const known = readMigrations(dialect);
  const newest = known.at(-1)?.number ?? 0;
  for (let done = false; !done; ) {
    done = await writing(db, async (trx) => {
      const own = trx as unknown as Kysely<MigrationTable>;
      if (dialect === "postgres")
        await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK}, hashtext(current_schema()))`.execute(own);
      await sql`create table if not exists migrations (number bigint primary key, name text not null, applied_at bigint not null)`.execute(
        own,
      );
      const at = (await highest(own)) ?? 0;
      if (at > newest) {
        throw new ProblemError(
          "ledger-refused",
          `the ledger's schema is number ${at}, this program knows up to ${newest}: a newer tributary-receiver wrote it; run that version or a newer one`,
        );
      }
      const next = known.find((migration) => migration.number > at);
      if (next === undefined) {
        await trx
          .insertInto("site")
          .values({
            id: 1,
            epoch: randomUUID(),
            last_seq: 0,
            last_commit_at: 0,
            lake: null,
            known_since: Date.now(),
          })
          .onConflict((oc) => oc.doNothing())
          .execute();
        return true;
      }
      for (const statement of statements(next.text)) await sql.raw(statement).execute(own);
      await own
        .insertInto("migrations")
        .values({ number: next.number, name: next.name, applied_at: Date.now() })
        .execute();
      return false;
    });
  }
}

/** Number of the newest migration that this ledger has: a backup carries it. */
export async function schemaNumber(db: Database): Promise<number> {
  return (await highest(db as unknown as Kysely<MigrationTable>)) ?? 0;
}

async function highest(db: Kysely<MigrationTable>): Promise<number | null | undefined> {
  const row = await db
    .selectFrom("migrations")
    .select((eb) => eb.fn.max("number").as("at"))
    .executeTakeFirst();
  return row?.at;
}

/** better-sqlite3 prepares one statement at a time: a statement ends with `;` at the end of a line. */
function statements(text: string): string[] {
  return text
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(/^--.*$/gm, "").trim() !== "");
}
