/**
 * Out of quarantine: the object gets its key below `raw/`, the ordinary commit makes its entry and ends that it is held,
 * and then its key in quarantine goes. Killed in between, it is still held and can be released again, or it is released
 * and the sweep takes what is left.
 */
import { createHash } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { releasedKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import { newerFault } from "../ledger/decide.ts";
import type { Release } from "../ledger/ledger.ts";
import { newerEntry, type QuarantinedFile, quarantinedFile } from "../ledger/quarantine.ts";
import type { Database } from "../ledger/schema.ts";
import { answerOf } from "./answer.ts";
import type { Committer } from "./committer.ts";

export interface ReleaseParts {
  readonly db: Database;
  readonly lake: Pick<Lake, "read" | "copy" | "remove">;
  readonly committer: Committer;
}

/** It may have lain there for long, and its receipt will say what the bytes are. */
async function requireBytes(lake: Pick<Lake, "read">, { key, sha256 }: QuarantinedFile): Promise<void> {
  const hash = createHash("sha256");
  const bytes = await lake.read(key);
  for await (const chunk of (bytes ?? []) as AsyncIterable<Uint8Array>) hash.update(chunk);
  if (bytes !== undefined && hash.digest("hex") === sha256) return;
  throw new ProblemError(
    "lake-unavailable",
    `the lake does not give back what was put into quarantine: ${key} ${bytes === undefined ? "is missing" : "has other bytes"}; put it back from a copy of the lake`,
  );
}

/** The answer that its sender gets when it asks again. Throws `not-found`, and `ledger-refused` when its path has a newer entry. */
export async function releaseFrom(
  { db, lake, committer }: ReleaseParts,
  id: string,
  release: Release,
): Promise<DeliveryAnswer> {
  const file = await quarantinedFile(db, id);
  if (file === undefined || file.state === "released")
    throw new ProblemError(
      "not-found",
      file === undefined
        ? `nothing in quarantine has the id "${id}"; see: tributary-receiver quarantine list`
        : `${id} was released already, at ${file.releasedAt}: ${file.reason}`,
    );
  const { client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel, size, sha256 } = file;
  // Before anything is to be seen below `raw/`; the commit decides.
  const newer = release.overNewer ? undefined : await newerEntry(db, id);
  if (newer !== undefined) return answerOf(newerFault(id, newer));
  await requireBytes(lake, file);
  const key = releasedKey(file.key);
  await lake.copy(file.key, key);
  const outcome = await committer.commit({
    kind: "version",
    ...{ client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel, size, sha256, key, release },
    versionId: id,
    bearer: { id: file.agentId, seesAll: false },
  });
  // Refused, it is still held; repeated, another release was faster, and its entry names the key.
  if (outcome.kind === "refused" || outcome.kind === "unchanged") await lake.remove(key);
  const answer = answerOf(outcome);
  await lake.remove(file.key);
  return answer;
}
