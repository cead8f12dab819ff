/**
 * What is held is discarded for good: first the ledger says so, then its bytes go, also those that a release which was
 * killed left below `raw/`. Killed in between, the same again ends it, and so does the sweep.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { releasedKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { type Discard, discardHeld } from "../ledger/discard.ts";
import { type QuarantinedFile, quarantinedFile } from "../ledger/quarantine.ts";
import { whereItIs } from "./release.ts";

export interface Discarded {
  readonly file: QuarantinedFile;
  /** It was discarded before, by whom and why `file` says. */
  readonly before: boolean;
}

/** Throws `not-found` for what was never held or is released, `lake-unavailable` when it is discarded and its bytes are still there. */
export async function discardFrom(
  database: Pick<LedgerDatabase, "db" | "clock">,
  lake: Pick<Lake, "remove">,
  id: string,
  discard: Discard,
): Promise<Discarded> {
  const now = await discardHeld(database, id, discard);
  const file = await quarantinedFile(database.db, id);
  if (file?.state !== "discarded") throw new ProblemError("not-found", whereItIs(id, file));
  try {
    // In this order: without the first nobody makes the second anew.
    await lake.remove(file.key);
    await lake.remove(releasedKey(file.key));
  } catch (cause) {
    throw new ProblemError(
      "lake-unavailable",
      `${id} is discarded, but the lake did not let go of its bytes: ${(cause as Error).message}; run the same again, or leave it to the sweep`,
      { cause },
    );
  }
  return { file, before: !now };
}
