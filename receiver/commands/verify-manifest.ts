/** The manifest against the ledger, both ways: no entry without its line, no line without its entry. */
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import { segmentKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import { manifestLineOf } from "../ledger/entry.ts";
import { type Gaps, gapsOf } from "../ledger/gaps.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { type SegmentName, segmentDays, segmentLines, segmentsOf } from "../tail/manifest-read.ts";

/** A commit's segment is written before its receipts leave; a crash's at the next start. This old, it must be there. */
const WRITTEN_WITHIN_MS = 60_000;
/** What must agree. Not seq and captureId: `rebuild --merge` may have to give new ones. */
const SAME = [
  "kind",
  "client",
  "source",
  "pathEncoded",
  "size",
  "sha256",
  "key",
  "receivedAt",
  "receipt",
] as const;

/** The number of lines that were compared. Calls `differs` with a line for every difference. */
export async function verifyManifest(
  db: Database,
  lake: Pick<Lake, "list" | "read">,
  client: string | undefined,
  differs: (line: string) => void,
  progress: (lines: number) => void,
  now: () => number = Date.now,
): Promise<number> {
  const gaps = await gapsOf(db);
  const days = new Set([...(await segmentDays(lake)), ...(await committedDays(db))]);
  let lines = 0;
  for (const day of [...days].sort()) {
    // The lake is listed first: a segment that appears while we look was committed before it was written.
    const inLake = await segmentsOf(lake, day);
    const listed = new Set(inLake.map(({ id }) => id));
    for (const segment of inLake) {
      lines += await compare(db, lake, segment, client, gaps, differs);
      progress(lines);
    }
    for await (const segment of committedOn(db, day)) {
      if (listed.has(segment.id)) continue;
      if (segment.written_at === null && now() - segment.committed_at < WRITTEN_WITHIN_MS) continue;
      const rows = await rowsOf(db, segment.id);
      const ours = rows.filter((row) => client === undefined || row.client === client);
      if (ours.length === 0 || (await segmentLines(lake, segment)) !== undefined) continue;
      differs(`${segmentKey(segment)}: is missing in the lake, with ${ours.length} entries`);
    }
  }
  // Whose they were nobody knows: told for every client.
  for (const { from, to } of gaps.left)
    differs(`entries ${from} to ${to} are in no segment of the manifest, and not in the ledger`);
  return lines;
}

async function compare(
  db: Database,
  lake: Pick<Lake, "read">,
  segment: SegmentName,
  client: string | undefined,
  gaps: Gaps,
  differs: (line: string) => void,
): Promise<number> {
  const key = segmentKey(segment);
  let found: ManifestLine[] | undefined;
  try {
    const values = await segmentLines(lake, segment);
    found = values?.filter((value) => typeof value === "object" && value !== null) as
      | ManifestLine[]
      | undefined;
  } catch (error) {
    differs((error as Error).message);
    return 0;
  }
  if (found === undefined) return 0;
  for (const { seq } of found) if (Number.isSafeInteger(seq)) gaps.fill(seq);
  const ours = <T extends { readonly client: string }>(rows: readonly T[]): T[] =>
    rows.filter((row) => client === undefined || row.client === client);
  const expected = new Map(
    ours(await rowsOf(db, segment.id)).map((row) => [row.version_id, manifestLineOf(row)]),
  );
  const lines = ours(found);
  for (const line of lines) {
    const entry = expected.get(line.versionId);
    expected.delete(line.versionId);
    if (entry === undefined) {
      if (!(await isKnown(db, line)))
        differs(
          `${key}: ${line.versionId} is not in the ledger; if the ledger is old: tributary-receiver rebuild --merge`,
        );
      continue;
    }
    const other = SAME.filter((field) => line[field] !== entry[field]);
    if (other.length > 0) differs(`${key}: ${line.versionId} differs from the ledger in ${other.join(", ")}`);
  }
  for (const versionId of expected.keys()) differs(`${key}: lacks the entry ${versionId}`);
  return lines.length;
}

/** Under another segment, or (after `rebuild --merge`) as the same capture under another version. */
async function isKnown(db: Database, line: ManifestLine): Promise<boolean> {
  const row = await db
    .selectFrom("entries")
    .select("seq")
    .where((eb) =>
      eb.or([
        eb("version_id", "=", line.versionId),
        eb.and([eb("client", "=", line.client), eb("capture_id", "=", line.captureId)]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

const rowsOf = (db: Database, segmentId: string) =>
  db.selectFrom("entries").selectAll().where("segment_id", "=", segmentId).orderBy("seq").execute();

async function committedDays(db: Database): Promise<string[]> {
  const rows = await db.selectFrom("segments").select("date").distinct().execute();
  return rows.map(({ date }) => date);
}

async function* committedOn(db: Database, day: string): AsyncGenerator<Tables["segments"]> {
  for (let after = ""; ; ) {
    const page = await db
      .selectFrom("segments")
      .selectAll()
      .where("date", "=", day)
      .where("id", ">", after)
      .orderBy("id")
      .limit(1000)
      .execute();
    yield* page;
    if (page.length === 0) return;
    after = page.at(-1)?.id as string;
  }
}
