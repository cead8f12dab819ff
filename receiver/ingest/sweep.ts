/**
 * Takes away what nobody will come back for: uploads that were not touched for long, multiparts of the store that no
 * live upload names, and spare objects that no entry names. Never what can still complete: an upload is aborted by
 * the same compare-and-set that completing takes, and an object counts as spare only long after its key was made.
 * In quarantine an object is spare when it is not held; of those that came before this ledger knew all that is held, when
 * it says that the object was released or discarded.
 * "No entry names it" says something only of a ledger that knows the whole lake: with any other, nothing is touched.
 */
import { uuidv7Time } from "@tributary/shared/uuid.ts";
import { type Area, releasedKey, versionIdOf } from "../lake/key.ts";
import type { Lake, PartLake } from "../lake/lake.ts";
import type { Coverage, History } from "../ledger/ledger.ts";
import type { Quarantine } from "../ledger/quarantine.ts";
import { requireCovered } from "../tail/coverage.ts";
import type { Report } from "./facts.ts";
import { ensureCopy } from "./release.ts";
import type { UploadRow, UploadRows } from "./upload-rows.ts";

export interface SweepParts {
  readonly lake: Pick<Lake, "list" | "read" | "copy" | "remove"> & Pick<PartLake, "abort" | "open">;
  readonly history: Pick<History, "named">;
  readonly quarantine: Quarantine;
  readonly coverage: Coverage;
  readonly rows: UploadRows;
  readonly now: () => number;
  readonly report: Report;
  /** Ages in ms. */
  readonly uploadsAfter: number;
  readonly spareAfter: number;
  /** Asked between two items: what is left stays for the next sweep. */
  readonly stopping?: AbortSignal;
}

const BATCH = 500;

export interface Swept {
  readonly uploads: number;
  readonly multiparts: number;
  readonly objects: number;
  /** Could not be taken away; each was reported, and is tried again the next time. */
  readonly skipped: number;
}

type TakeAway = (what: string, work: () => Promise<void>) => Promise<number>;

/** Throws `ledger-refused`, and has touched nothing, when the lake knows more than the ledger. */
export async function sweep(parts: SweepParts): Promise<Swept> {
  try {
    return await sweepAll(parts);
  } catch (error) {
    parts.report({ kind: "SweepFailed", error });
    throw error;
  }
}

async function sweepAll(parts: SweepParts): Promise<Swept> {
  await requireCovered(parts);
  let skipped = 0;
  /** One thing that the lake does not let go of must not keep the others. */
  const takeAway: TakeAway = async (what, work) => {
    try {
      await work();
      return 1;
    } catch (error) {
      skipped += 1;
      parts.report({ kind: "SweepSkipped", what, error });
      return 0;
    }
  };
  const uploads = await sweepUploads(parts, takeAway);
  const multiparts = await sweepMultiparts(parts, takeAway);
  const raw = await sweepSpare(parts, "raw", Number.NEGATIVE_INFINITY, takeAway);
  const known = await parts.quarantine.knownSince();
  const objects = raw + (await sweepSpare(parts, "quarantine", known, takeAway));
  await parts.rows.forget(parts.uploadsAfter);
  const swept = { uploads, multiparts, objects, skipped };
  parts.report({ kind: "Swept", ...swept });
  return swept;
}

async function sweepUploads(parts: SweepParts, takeAway: TakeAway): Promise<number> {
  const { rows, uploadsAfter } = parts;
  let count = 0;
  for (;;) {
    const abandoned = await rows.abandoned(uploadsAfter, BATCH);
    let progress = 0;
    for (const row of abandoned) {
      if (parts.stopping?.aborted) return count;
      const ended = await endUpload(parts, row);
      if (ended === "goes on") continue;
      progress += 1;
      count += ended === "done" ? 1 : await takeAway(`upload ${row.id}`, () => abortUpload(parts, row));
    }
    if (progress === 0) return count;
  }
}

/** Ends it in the ledger; what the lake still holds of it belongs to no live upload from then on. */
async function endUpload(
  { rows, history, quarantine, uploadsAfter }: SweepParts,
  row: UploadRow,
): Promise<"done" | "aborted" | "goes on"> {
  // A receiver that died between its commit and its answer left a version behind, or one that is held.
  const ids = [row.version_id];
  if ((await quarantine.held(ids)).size > 0 || (await history.named(ids)).size > 0) {
    await rows.committed(row.id);
    return "done";
  }
  return (await rows.abort(row.id, uploadsAfter)) ? "aborted" : "goes on";
}

async function abortUpload({ lake }: SweepParts, row: UploadRow): Promise<void> {
  await lake.abort({ key: row.lake_key, handle: row.handle, size: row.size, partSize: row.part_size });
}

async function sweepMultiparts(parts: SweepParts, takeAway: TakeAway): Promise<number> {
  const { lake, rows, now, uploadsAfter } = parts;
  let count = 0;
  for await (const open of lake.open()) {
    if (parts.stopping?.aborted) break;
    if (!(open.startedAt <= now() - uploadsAfter)) continue;
    const versionId = versionIdOf(open.key);
    // Without a key it was left by a process that died while it began; with one that is not ours it is another's.
    if (versionId === undefined && open.key !== "") continue;
    if (versionId !== undefined && (await rows.live([versionId])).size > 0) continue;
    count += await takeAway(`multipart ${open.handle} of ${open.key}`, () =>
      lake.abort({ key: open.key, handle: open.handle, size: 0, partSize: 0 }),
    );
  }
  return count;
}

/** Of what came before `since`, in ms, only that goes which the ledger says has left quarantine. */
async function sweepSpare(parts: SweepParts, area: Area, since: number, takeAway: TakeAway): Promise<number> {
  const { lake, now, spareAfter } = parts;
  let count = 0;
  const before = now() - spareAfter;
  const removeOne = async ({ key, versionId }: Spare): Promise<void> => {
    // Its release may have been killed between the commit and its last look at the copy.
    if (area === "quarantine" && (await parts.history.named([versionId])).has(versionId))
      await ensureCopy(lake, key, releasedKey(key));
    await lake.remove(key);
  };
  const remove = async (spares: readonly Spare[]): Promise<void> => {
    const kept = await keptOf(
      parts,
      area,
      spares.map(({ versionId }) => versionId),
    );
    for (const spare of spares) {
      const { key, versionId } = spare;
      if (parts.stopping?.aborted) return;
      // Asked again right before: what was asked of a batch may be a while ago.
      if (kept.has(versionId) || (await keptOf(parts, area, [versionId])).has(versionId)) continue;
      count += await takeAway(key, () => removeOne(spare));
    }
  };
  let batch: Spare[] = [];
  for await (const { key } of lake.list(`${area}/`)) {
    if (parts.stopping?.aborted) return count;
    const versionId = versionIdOf(key);
    if (versionId === undefined) continue;
    const at = uuidv7Time(versionId);
    if (!(at < before)) continue;
    if (!(at >= since) && !(await parts.quarantine.ended([versionId])).has(versionId)) continue;
    batch.push({ key, versionId });
    if (batch.length < BATCH) continue;
    await remove(batch);
    batch = [];
  }
  await remove(batch);
  return count;
}

/** By version, not by key: a file system may list a name in another spelling than it was given. */
interface Spare {
  readonly key: string;
  readonly versionId: string;
}

/**
 * Which of these versions stay. In this order: an upload that is no longer live by then has ended, is held, or its entry
 * is there to be seen; one that is no longer held has its entry. What is held may just be given its key below `raw/`.
 */
async function keptOf(
  { rows, history, quarantine }: SweepParts,
  area: Area,
  versionIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const live = await rows.live(versionIds);
  const kept = live.union(await quarantine.held(versionIds));
  return area === "quarantine" ? kept : kept.union(await history.named(versionIds));
}
