/** What the paths that were found are now. */
import { sql } from "kysely";
import { rows } from "../ledger/chunks.ts";
import { named } from "../ledger/database.ts";
import { instantOf } from "../ledger/entry.ts";
import type { SearchDatabase } from "./schema.ts";

export interface FoundFile {
  readonly kind: "file" | "removed";
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
  /** Of its newest entry, as all that follows. */
  readonly versionId: string;
  readonly seq: number;
  /** Null of a removed one, as `sha256`. */
  readonly size: number | null;
  readonly sha256: string | null;
  readonly modifiedAt: string | null;
  readonly receivedAt: string;
  /** 100: so many or more. */
  readonly versions: number;
}

/** Versions of a path that are counted, at most. */
const MOST_COUNTED = 100;

/** In their order. */
export async function newestOf(
  db: SearchDatabase,
  lines: readonly { readonly block: number; readonly line: number }[],
): Promise<readonly FoundFile[]> {
  if (lines.length === 0) return [];
  return await named(async () => {
    const blocks = await db
      .selectFrom("search_blocks")
      .select(["id", "firsts"])
      .where("id", "in", [...new Set(lines.map(({ block }) => block))])
      .execute();
    const firsts = new Map(blocks.map((block) => [block.id, block.firsts.split(",")]));
    const seqs = lines.map(({ block, line }) => Number(firsts.get(block)?.[line]));
    const found = new Map((await newestEntries(db, seqs)).map(({ first, file }) => [first, file]));
    return seqs.flatMap((seq) => found.get(seq) ?? []);
  });
}

async function newestEntries(db: SearchDatabase, seqs: readonly number[]) {
  const paths = await db
    .selectFrom("entries")
    .select(["seq", "client", "source", "path_hash"])
    .where("seq", "in", seqs)
    .execute();
  const keys = paths.map(({ client, source, path_hash }) => [client, source, path_hash]);
  if (keys.length === 0) return [];
  const heads = await db
    .selectFrom("heads")
    .select(["client", "source", "path_hash", "seq"])
    .where(sql<boolean>`(client, source, path_hash) in (${rows(keys)})`)
    .execute();
  const newest = await db
    .selectFrom("entries as e")
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["e.kind", "e.client", "e.source", "e.path_encoded", "e.path_hash", "e.version_id", "e.seq"])
    .select(["e.size", "e.sha256", "e.received_at"])
    .select((eb) => eb.fn.coalesce("m.modified_at", "e.modified_at").as("modified_at"))
    .select((eb) =>
      eb
        .selectFrom(
          eb
            .selectFrom("entries as v")
            .select("v.seq")
            .whereRef("v.path_hash", "=", "e.path_hash")
            .whereRef("v.client", "=", "e.client")
            .whereRef("v.source", "=", "e.source")
            .where("v.kind", "=", "version")
            .limit(MOST_COUNTED)
            .as("some"),
        )
        .select((inner) => inner.fn.countAll<number>().as("count"))
        .as("versions"),
    )
    .where(
      "e.seq",
      "in",
      heads.map(({ seq }) => seq),
    )
    .execute();
  const keyOf = (row: { client: string; source: string; path_hash: string }) =>
    `${row.client}/${row.source}/${row.path_hash}`;
  const byKey = new Map(newest.map((row) => [keyOf(row), row]));
  return paths.flatMap((path) => {
    const row = byKey.get(keyOf(path));
    return row === undefined ? [] : [{ first: path.seq, file: fileOf(row) }];
  });
}

interface Newest {
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly path_encoded: string;
  readonly version_id: string;
  readonly seq: number;
  readonly size: number | null;
  readonly sha256: string | null;
  readonly modified_at: string | null;
  readonly received_at: number;
  readonly versions: number | null;
}

function fileOf(row: Newest): FoundFile {
  const { client, source, path_encoded: pathEncoded, version_id: versionId, seq, size, sha256 } = row;
  return {
    kind: row.kind === "version" ? "file" : "removed",
    ...{ client, source, pathEncoded, versionId, seq, size, sha256 },
    modifiedAt: row.modified_at,
    receivedAt: instantOf(row.received_at),
    versions: row.versions ?? 0,
  };
}
