/** Puts a backup into an empty ledger, whichever database it came from: all of it, or nothing. */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { sql } from "kysely";
import { z } from "zod";
import { deriveArrivals } from "./arrivals.ts";
import { BACKUP_FORMAT, BACKUP_VERSION, type KeptTable, type RowCounts, TABLE_KEYS } from "./backup.ts";
import { committing, type LedgerDatabase, reason, type Writer } from "./database.ts";
import { deriveReordered, forgetSearch, forgetTrees } from "./derive.ts";
import { schemaNumber } from "./migrations.ts";

const header = z.object({
  format: z.literal(BACKUP_FORMAT),
  version: z.literal(BACKUP_VERSION),
  schema: z.int(),
});
const row = z.tuple([
  z.enum(Object.keys(TABLE_KEYS) as KeptTable[]),
  z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
]);
const trailer = z.strictObject({ rows: z.record(z.string(), z.int()), sha256: z.string() });

/**
 * Takes the site's lock, so it refuses beside a receiver; throws `ledger-refused` when the ledger is not empty and
 * `backup-invalid` when the file is not whole. The epoch is new (cursors of before get 410) and agents' nonces are
 * forgotten, because those in the backup are older than those that the agents hold.
 */
export async function restore(
  database: LedgerDatabase,
  file: string,
  progress: (rows: number) => void = () => {},
): Promise<RowCounts> {
  const held = await database.siteLock.alone();
  try {
    return await committing(database, async (trx, turn) => {
      await requireEmpty(trx);
      const restoring = new Restoring(trx, file, progress);
      try {
        await pipeline(createReadStream(file), createGunzip(), (bytes: AsyncIterable<Buffer>) =>
          restoring.read(bytes),
        );
      } catch (error) {
        if (error instanceof ProblemError || !isFileFault(error)) throw error;
        throw invalid(file, reason(error), error);
      }
      const epoch = randomUUID();
      await trx.updateTable("site").set({ epoch, known_since: turn.now }).execute();
      // Their places are those of the same backup's entries, so they go on from there.
      await trx.updateTable("webhooks").set({ epoch, lease: null, leased_until: 0 }).execute();
      await deriveArrivals(trx);
      await deriveReordered(trx);
      await forgetTrees(trx);
      await forgetSearch(trx);
      // Others may have held them since, and their terms have to be greater ones.
      await trx.updateTable("leases").set({ agent_id: null }).execute();
      await trx.updateTable("agents").set({ nonce: null, nonce_previous: null }).execute();
      // Whoever was logged out since, or whose link was taken back, must not come in again.
      for (const table of ["people_sessions", "people_verifications", "people_codes_used"] as const)
        await trx.deleteFrom(table).execute();
      await trx.deleteFrom("people_invitations").where("used_at", "is", null).execute();
      return restoring.counts;
    });
  } finally {
    await held.release();
  }
}

async function requireEmpty(trx: Writer): Promise<void> {
  for (const table of ["entries", "clients"] as const) {
    const any = await trx.selectFrom(table).select(sql.lit(1).as("one")).limit(1).executeTakeFirst();
    if (any === undefined) continue;
    throw new ProblemError(
      "ledger-refused",
      `the ledger has ${table} already: restore only into a new one (another --data folder or database)`,
    );
  }
  for (const table of Object.keys(TABLE_KEYS) as KeptTable[]) {
    // What was done with this ledger so far was done; those of the backup come beside it.
    if (table !== "site" && table !== "audit") await trx.deleteFrom(table).execute();
  }
}

function isFileFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return error instanceof SyntaxError || /^(?:Z_|ENOENT$|EACCES$|EPERM$|EISDIR$|EIO$)/.test(String(code));
}

function invalid(file: string, what: string, cause?: unknown): ProblemError {
  return new ProblemError("backup-invalid", `cannot restore ${file}: ${what}; nothing was changed`, {
    cause,
  });
}

type Row = z.infer<typeof row>[1];

/** Reads the lines in order. A line is checked against the digest only by the last one, within the transaction. */
class Restoring {
  readonly counts: RowCounts = {};
  readonly #trx: Writer;
  readonly #file: string;
  readonly #progress: (rows: number) => void;
  readonly #hash = createHash("sha256");
  #table: KeptTable | undefined;
  #rows: Row[] = [];
  #lines = 0;
  #ended = false;

  constructor(trx: Writer, file: string, progress: (rows: number) => void) {
    this.#trx = trx;
    this.#file = file;
    this.#progress = progress;
  }

  async read(bytes: AsyncIterable<Buffer>): Promise<void> {
    for await (const line of linesOf(bytes)) {
      const value: unknown = JSON.parse(line);
      if (this.#ended) throw invalid(this.#file, "it goes on after its last line");
      if (this.#lines === 0) await this.#begin(value);
      else if (Array.isArray(value)) await this.#take(value);
      else await this.#end(value);
      if (!this.#ended) this.#hash.update(`${line}\n`);
      this.#lines += 1;
    }
    if (!this.#ended) throw invalid(this.#file, "its end is missing, it was cut off");
  }

  async #begin(value: unknown): Promise<void> {
    const head = header.safeParse(value);
    if (!head.success) throw invalid(this.#file, "it is not a backup that this program knows");
    if (head.data.schema > (await schemaNumber(this.#trx)))
      throw invalid(
        this.#file,
        "a newer tributary-receiver wrote it; restore it with that version or a newer one",
      );
  }

  async #take(value: unknown): Promise<void> {
    const parsed = row.safeParse(value);
    if (!parsed.success) throw invalid(this.#file, `line ${this.#lines + 1} is not a row of a known table`);
    const [table, values] = parsed.data;
    if (table !== this.#table || this.#rows.length === 1000) await this.#flush();
    this.#table = table;
    this.#rows.push(values);
    this.counts[table] = (this.counts[table] ?? 0) + 1;
  }

  async #flush(): Promise<void> {
    const [table, rows] = [this.#table, this.#rows];
    if (table === undefined || rows.length === 0) return;
    if (table === "site")
      await this.#trx
        .updateTable("site")
        .set(rows[0] as never)
        .execute();
    else
      await this.#trx
        .insertInto(table)
        .values(rows as never)
        .execute();
    this.#rows = [];
    this.#progress(this.#lines - 1);
  }

  async #end(value: unknown): Promise<void> {
    await this.#flush();
    this.#ended = true;
    const end = trailer.safeParse(value);
    if (!end.success) throw invalid(this.#file, `line ${this.#lines + 1} cannot be read`);
    const wrong = (Object.keys(TABLE_KEYS) as KeptTable[]).find(
      (table) => (end.data.rows[table] ?? 0) !== (this.counts[table] ?? 0),
    );
    if (wrong !== undefined) throw invalid(this.#file, `rows of the table ${wrong} are missing`);
    if (end.data.sha256 !== this.#hash.digest("hex"))
      throw invalid(this.#file, "its digest does not fit, it was altered");
  }
}

async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
