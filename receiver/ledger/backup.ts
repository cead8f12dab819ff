/**
 * A backup: everything the ledger knows (also what the lake cannot give back: clients, public keys, digests of
 * secrets), in one gzip'd JSONL file that both databases read.
 *   first line   {"format":"tributary-ledger","version":1,"schema":…,"epoch":…,"takenAt":…}
 *   then         ["table",{row}]         table by table
 *   last line    {"rows":{"table":count,…},"sha256":…}     over all lines before it, each with its line feed
 * It is one consistent picture; the file appears under its name only when it is whole and on the disk.
 */
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { sql } from "kysely";
import { reading } from "./database.ts";
import { schemaNumber } from "./migrations.ts";
import type { Database, Tables } from "./schema.ts";

export const BACKUP_FORMAT = "tributary-ledger";
export const BACKUP_VERSION = 1;

/** Of an agent's day: what it was asked, and what it told of itself then. A restored site asks anew. */
type Passing = "agent_commands" | "agent_diagnostics";

/** Every table with its primary key: what a backup holds, and the order in which it reads. */
export const TABLE_KEYS = {
  site: ["id"],
  site_keys: ["kind", "fingerprint"],
  clients: ["name"],
  usage: ["client"],
  bearers: ["bearer"],
  entries: ["seq"],
  heads: ["client", "source", "path_hash"],
  unchanged_captures: ["client", "capture_id"],
  modified_later: ["version_id"],
  segments: ["id"],
  uploads: ["id"],
  upload_parts: ["upload_id", "number"],
  quarantined: ["id"],
  agents: ["id"],
  agent_clients: ["agent_id", "client"],
  leases: ["client", "source"],
  lease_wants: ["agent_id"],
  invitations: ["secret_hash"],
  api_keys: ["id"],
  sftp_accounts: ["id"],
  sftp_keys: ["account_id", "fingerprint"],
  webhooks: ["id"],
  webhook_events: ["webhook", "version_id"],
  audit: ["id"],
  people: ["id"],
  people_accounts: ["id"],
  people_sessions: ["id"],
  people_verifications: ["id"],
  people_totp: ["id"],
  people_codes_used: ["person", "code_hash"],
  people_passkeys: ["id"],
  people_invitations: ["secret_hash"],
} as const satisfies { readonly [T in Exclude<keyof Tables, Passing>]: readonly (keyof Tables[T])[] };

/** A table that a backup holds. */
export type KeptTable = keyof typeof TABLE_KEYS;

/** Told the rows so far, and waited for. */
type Progress = (rows: number) => void | Promise<void>;

export type RowCounts = Partial<Record<KeptTable, number>>;

/** Nothing but an older backup is ever replaced. Throws `backup-invalid` before anything is read. */
async function requirePlace(target: string): Promise<void> {
  const refuse = (why: string): never => {
    throw new ProblemError("backup-invalid", why);
  };
  const folder = await stat(dirname(target)).catch(() => undefined);
  if (folder?.isDirectory() !== true)
    refuse(`there is no folder ${dirname(target)} to write the backup into; make it first`);
  const there = await stat(target).catch(() => undefined);
  if (there === undefined || (there.isFile() && there.size === 0)) return;
  if (!there.isFile()) refuse(`${target} is no file; name a file, such as ${join(target, "ledger.backup")}`);
  await using handle = await open(target, "r");
  const { buffer } = await handle.read(Buffer.alloc(GZIP.length), 0, GZIP.length, 0);
  if (!buffer.equals(GZIP)) refuse(`${target} is there already, and is no backup; name another file`);
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** Works beside a running receiver. Gives the rows written; `progress` is told them as they go. */
export async function backup(db: Database, file: string, progress: Progress = () => {}): Promise<RowCounts> {
  const target = resolve(file);
  await requirePlace(target);
  const temporary = `${target}.${randomUUID()}.tmp`;
  const counts: RowCounts = {};
  try {
    await reading(db, async (trx) => {
      const text = Readable.from(contents(trx, counts, progress));
      // Only its owner may read it: it holds digests of secrets.
      await pipeline(text, createGzip(), createWriteStream(temporary, { flags: "wx", mode: 0o600 }));
    });
    await sync(temporary);
    await rename(temporary, target);
    await sync(dirname(target));
    return counts;
  } catch (error) {
    await rm(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof ProblemError || !/^E[A-Z]+$/.test(String(code))) throw error;
    throw new ProblemError("backup-invalid", `cannot write ${target}: ${message}`, { cause: error });
  }
}

const PAGE = 1000;

async function* contents(db: Database, counts: RowCounts, progress: Progress): AsyncGenerator<string> {
  const hash = createHash("sha256");
  const line = (value: unknown): string => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    return text;
  };
  const site = await db.selectFrom("site").selectAll().executeTakeFirstOrThrow();
  yield line({
    format: BACKUP_FORMAT,
    version: BACKUP_VERSION,
    schema: await schemaNumber(db),
    epoch: site.epoch,
    takenAt: new Date().toISOString(),
  });
  let total = 0;
  for (const table of Object.keys(TABLE_KEYS) as KeptTable[]) {
    counts[table] = 0;
    for await (const rows of pages(db, table)) {
      counts[table] += rows.length;
      total += rows.length;
      await progress(total);
      yield rows.map((row) => line([table, row])).join("");
    }
  }
  yield `${JSON.stringify({ rows: counts, sha256: hash.digest("hex") })}\n`;
}

async function* pages(db: Database, table: KeptTable): AsyncGenerator<Record<string, unknown>[]> {
  const keys = TABLE_KEYS[table];
  const columns = sql.join(keys.map((key) => sql.ref(key)));
  let after = sql``;
  for (;;) {
    const { rows } = await sql<Record<string, unknown>>`
      select * from ${sql.table(table)} ${after} order by ${columns} limit ${sql.lit(PAGE)}`.execute(db);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = sql`where (${columns}) > (${sql.join(keys.map((key) => last[key]))})`;
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
