/** Versions by their content's SHA-256, or the begin of it, and single entries by their version id. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { sql } from "kysely";
import { named } from "../ledger/database.ts";
import { instantOf } from "../ledger/entry.ts";
import type { Database } from "../ledger/schema.ts";

export interface FoundEntry {
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
  readonly versionId: string;
  readonly seq: number;
  readonly size: number | null;
  readonly sha256: string | null;
  readonly receivedAt: string;
}

export interface EntryPage {
  readonly entries: readonly FoundEntry[];
  readonly next: string | undefined;
}

/** So many digits of a digest are in the index. */
const INDEXED = 12;
const begin = sql<string>`substr(sha256, 1, 12)`;
const DIGEST = /^[0-9a-f]{6,64}$/i;

/** Six hex digits or more: fewer are in too many. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** In the order of digests, the same one's in commit order. Empty when it is no begin of a digest. */
export async function findByDigest(
  db: Database,
  {
    text,
    client,
    after,
    limit,
  }: {
    readonly text: string;
    readonly client?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  },
): Promise<EntryPage> {
  if (!isDigest(text)) return { entries: [], next: undefined };
  const digits = text.toLowerCase();
  const from = digits.slice(0, INDEXED);
  // No hex digit is behind "f".
  let query = select(db)
    .where(begin, ">=", from)
    .where(begin, "<", `${from}g`)
    .orderBy(begin)
    .orderBy("seq")
    .limit(limit + 1);
  if (digits.length > INDEXED) query = query.where("sha256", ">=", digits).where("sha256", "<", `${digits}g`);
  if (client !== undefined) query = query.where("client", "=", client);
  if (after !== undefined) {
    const [, digest, seq] = /^([0-9a-f]{12})\.(\d{1,15})$/.exec(after) ?? [];
    if (digest === undefined)
      throw new ProblemError(
        "request-invalid",
        `"${after.slice(0, 100)}" is no place in a search: begin it anew`,
      );
    query = query
      .where(begin, ">=", digest)
      .where(sql<boolean>`(${begin}, seq) > (${digest}, ${sql.lit(Number(seq))})`);
  }
  const found = await named(() => query.execute());
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    entries: page.map(entryOf),
    next:
      found.length > limit && last !== undefined
        ? `${(last.sha256 as string).slice(0, INDEXED)}.${last.seq}`
        : undefined,
  };
}

export async function findByVersionId(db: Database, versionId: string): Promise<FoundEntry | undefined> {
  const row = await named(() => select(db).where("version_id", "=", versionId).executeTakeFirst());
  return row && entryOf(row);
}

function select(db: Database) {
  return db
    .selectFrom("entries")
    .select([
      "kind",
      "client",
      "source",
      "path_encoded",
      "version_id",
      "seq",
      "size",
      "sha256",
      "received_at",
    ]);
}

type Row = NonNullable<Awaited<ReturnType<ReturnType<typeof select>["executeTakeFirst"]>>>;

function entryOf(row: Row): FoundEntry {
  const { kind, client, source, path_encoded: pathEncoded, version_id: versionId, seq, size, sha256 } = row;
  const receivedAt = instantOf(row.received_at);
  return { kind, client, source, pathEncoded, versionId, seq, size, sha256, receivedAt };
}
