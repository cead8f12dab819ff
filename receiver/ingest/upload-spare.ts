/** What lies in the store for an upload that has ended, and is nobody's version. The sweep takes what stays. */
import { isInQuarantine, releasedKey } from "../lake/key.ts";
import type { Lake, PartLake } from "../lake/lake.ts";
import type { History } from "../ledger/ledger.ts";
import type { Quarantine } from "../ledger/quarantine.ts";
import type { Report } from "./facts.ts";
import { partUpload } from "./upload.ts";
import type { UploadRow } from "./upload-rows.ts";

export interface SpareParts {
  readonly lake: Pick<Lake, "remove"> & Pick<PartLake, "abort">;
  readonly history: Pick<History, "named">;
  readonly quarantine: Pick<Quarantine, "held">;
  readonly report: Report;
}

/** Of an upload that we have just aborted. */
export async function clear(parts: SpareParts, row: UploadRow): Promise<void> {
  await parts.lake.abort(partUpload(row)).catch(() => {});
  await removeSpare(parts, row);
}

/** Only when the upload was ended by us, so that nobody can begin to complete it any more; never what the ledger names. */
export async function removeSpare(parts: SpareParts, row: UploadRow): Promise<void> {
  const { lake, history, quarantine } = parts;
  try {
    const ids = [row.version_id];
    // Held is asked first: what an operator releases in between has its entry then.
    const held = (await quarantine.held(ids)).size > 0;
    const named = (await history.named(ids)).size > 0;
    if (held) return;
    if (!named) await lake.remove(releasedKey(row.lake_key));
    if (isInQuarantine(row.lake_key)) await lake.remove(row.lake_key);
  } catch (error) {
    parts.report({ kind: "SpareLeft", key: row.lake_key, error });
  }
}
