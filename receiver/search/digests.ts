/** Versions by their content's SHA-256, or the begin of it, and single entries by their version id. */
import { setImmediate as breathe } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { named } from "../ledger/database.ts";
import { seqsWithDigest } from "../ledger/digests.ts";
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

const DIGEST = /^[0-9a-f]{8,64}$/i;
/** Entries of one look that are read, at most: of an empty file there may be very many, and of other clients. */
const MOST = 1000;

/** Eight hex digits or more: fewer are in too many. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** Newest first. Empty when it is no begin of a digest; a page may hold fewer than `limit`, and yet a `next`. */
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
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new ProblemError(
      "request-invalid",
      `"${after.slice(0, 100)}" is no place in a search: begin it anew`,
    );
  const digits = text.toLowerCase();
  const below = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
  return await named(async () => {
    const found = await seqsWithDigest(db, digits, { below, lowest: 1, limit: limit + 1 }, breathe);
    const seqs = found.seqs.slice(0, MOST);
    if (seqs.length === 0) return { entries: [], next: found.downTo?.toString() };
    const rows = await select(db).where("seq", "in", seqs).execute();
    const wanted = rows
      .sort((a, b) => b.seq - a.seq)
      .filter((row) => row.sha256?.startsWith(digits) && (client === undefined || row.client === client));
    const page = wanted.slice(0, limit);
    const place =
      wanted.length > limit ? page.at(-1)?.seq : seqs.length < found.seqs.length ? seqs.at(-1) : found.downTo;
    return { entries: page.map(entryOf), next: place?.toString() };
  });
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
