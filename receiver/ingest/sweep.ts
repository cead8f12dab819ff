/**
 * Takes away what nobody will come back for: uploads that were not touched for long, multiparts of the store that no
 * live upload names, and spare objects that no entry names. Never what can still complete: an upload is aborted by
 * the same compare-and-set that completing takes, and an object counts as spare only long after its key was made.
 */
import { isUuidv7, uuidv7Time } from "@tributary/shared/uuid.ts";
import type { Lake, PartLake } from "../lake/lake.ts";
import type { History } from "../ledger/ledger.ts";
import type { Report } from "./facts.ts";
import type { UploadRow, UploadRows } from "./upload-rows.ts";

export interface SweepParts {
  readonly lake: Pick<Lake, "list" | "remove"> & Pick<PartLake, "abort" | "open">;
  readonly history: Pick<History, "named">;
  readonly rows: UploadRows;
  readonly now: () => number;
  readonly report: Report;
  /** Ages in ms. */
  readonly uploadsAfter: number;
  readonly spareAfter: number;
}

const BATCH = 500;

export interface Swept {
  readonly uploads: number;
  readonly multiparts: number;
  readonly objects: number;
}

export async function sweep(parts: SweepParts): Promise<Swept> {
  const swept = {
    uploads: await sweepUploads(parts),
    multiparts: await sweepMultiparts(parts),
    objects: await sweepSpare(parts),
  };
  await parts.rows.forget(parts.uploadsAfter);
  parts.report({ kind: "Swept", ...swept });
  return swept;
}

async function sweepUploads(parts: SweepParts): Promise<number> {
  const { rows, uploadsAfter } = parts;
  let count = 0;
  for (;;) {
    const abandoned = await rows.abandoned(uploadsAfter, BATCH);
    let progress = 0;
    for (const row of abandoned) if (await sweepUpload(parts, row)) progress += 1;
    count += progress;
    if (progress === 0) return count;
  }
}

async function sweepUpload(parts: SweepParts, row: UploadRow): Promise<boolean> {
  const { rows, lake, history, uploadsAfter } = parts;
  // A receiver that died between its commit and its answer left a version behind, not an abandoned upload.
  if ((await history.named([row.lake_key])).size > 0) {
    await rows.committed(row.id);
    return true;
  }
  if (!(await rows.abort(row.id, uploadsAfter))) return false;
  await lake.abort({ key: row.lake_key, handle: row.handle, size: row.size, partSize: row.part_size });
  return true;
}

async function sweepMultiparts({ lake, rows, now, uploadsAfter }: SweepParts): Promise<number> {
  let count = 0;
  for await (const open of lake.open()) {
    if (open.startedAt > now() - uploadsAfter) continue;
    if ((await rows.liveKeys([open.key])).has(open.key)) continue;
    await lake.abort({ key: open.key, handle: open.handle, size: 0, partSize: 0 });
    count += 1;
  }
  return count;
}

async function sweepSpare({ lake, rows, history, now, spareAfter }: SweepParts): Promise<number> {
  let count = 0;
  const before = now() - spareAfter;
  const remove = async (keys: readonly string[]): Promise<void> => {
    // In this order: an upload that is no longer live by now has either ended, or its entry is there to be seen.
    const live = await rows.liveKeys(keys);
    const named = await history.named(keys);
    for (const key of keys) {
      if (named.has(key) || live.has(key)) continue;
      await lake.remove(key);
      count += 1;
    }
  };
  let batch: string[] = [];
  for await (const { key } of lake.list("raw/")) {
    if (!(madeAt(key) < before)) continue;
    batch.push(key);
    if (batch.length < BATCH) continue;
    await remove(batch);
    batch = [];
  }
  await remove(batch);
  return count;
}

/** When the key was made, in ms: the time inside its versionId. NaN for what is not one of our keys; that stays. */
function madeAt(key: string): number {
  const versionId = key.split("/")[4] ?? "";
  return isUuidv7(versionId) ? uuidv7Time(versionId) : Number.NaN;
}
