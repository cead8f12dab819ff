/**
 * Out of quarantine: the object gets its key below `raw/`, the ordinary commit makes its entry and ends that it is held,
 * and then its key in quarantine goes. Killed in between, it is still held and can be released again, or it is released
 * and the sweep takes what is left.
 * Several may be at it at once, and somebody may discard it: the commit decides, and a copy that no entry names goes.
 */
import { createHash } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { releasedKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import { committing, type LedgerDatabase, named } from "../ledger/database.ts";
import { newerFault } from "../ledger/decide.ts";
import type { Release } from "../ledger/ledger.ts";
import { newerThan } from "../ledger/newer.ts";
import { type QuarantinedFile, quarantinedFile } from "../ledger/quarantine.ts";
import type { Database } from "../ledger/schema.ts";
import { answerOf } from "./answer.ts";
import type { Committer } from "./committer.ts";

export interface ReleaseParts {
  readonly database: Pick<LedgerDatabase, "db" | "clock">;
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
    `the lake does not give back what was put into quarantine: ${key} ${bytes === undefined ? "is missing" : "has other bytes"}; put it back from a copy of the lake, or give it up: tributary-receiver quarantine delete`,
  );
}

/** Throws `not-found`, with what became of it. */
async function requireHeld(db: Database, id: string): Promise<QuarantinedFile> {
  const file = await quarantinedFile(db, id);
  if (file?.state === "held") return file;
  throw new ProblemError("not-found", whereItIs(id, file));
}

export function whereItIs(id: string, file: QuarantinedFile | undefined): string {
  switch (file?.state) {
    case undefined:
      return `nothing in quarantine has the id "${id}"; see: tributary-receiver quarantine list`;
    case "held":
      return `${id} is in quarantine`;
    case "released":
      return `${id} was released already, at ${file.releasedAt}: ${file.reason}`;
    case "discarded":
      return `${id} was discarded, at ${file.discardedAt}: ${file.reason}`;
  }
}

/** The answer that its sender gets when it asks again. Throws `not-found`, and `path-newer` when its path has a newer state. */
export async function releaseFrom(
  { database, lake, committer }: ReleaseParts,
  id: string,
  release: Release,
): Promise<DeliveryAnswer> {
  const { db } = database;
  const file = await requireHeld(db, id);
  const { client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel, size, sha256 } = file;
  // Before anything is to be seen below `raw/`; the commit decides.
  const newer = release.overNewer ? undefined : await named(() => newerThan(db, id));
  if (newer !== undefined) return answerOf(newerFault(id, newer));
  const key = releasedKey(file.key);
  try {
    await requireBytes(lake, file);
    await lake.copy(file.key, key);
  } catch (error) {
    // Another release, or who discarded it, may have taken them from us.
    await requireHeld(db, id);
    throw error;
  }
  const outcome = await committer.commit({
    kind: "version",
    ...{ client, source, pathEncoded, captureId, sealedAt, modifiedAt, channel, size, sha256, key, release },
    versionId: id,
    bearer: { id: file.agentId, seesAll: false },
  });
  if (outcome.kind === "committed") {
    await ensureCopy(lake, file.key, key);
    await lake.remove(file.key);
    return answerOf(outcome);
  }
  await removeUnnamed(database, lake, id, key);
  // Ours too, where it was a release that ended that it is held.
  if (outcome.kind === "unchanged") await lake.remove(file.key);
  if (outcome.kind === "refused" && outcome.code === "not-found") await requireHeld(db, id);
  return answerOf(outcome);
}

/** Until the commit of a release another one, that was refused, may have taken the copy for its own to remove. */
export async function ensureCopy(lake: ReleaseParts["lake"], from: string, to: string): Promise<void> {
  const there = await lake.read(to);
  if (there === undefined) await lake.copy(from, to);
  else there.destroy();
}

/** Under the lock that every commit takes: an entry that names it is there, or is not made before it is gone. */
async function removeUnnamed(
  database: ReleaseParts["database"],
  lake: ReleaseParts["lake"],
  id: string,
  key: string,
): Promise<void> {
  await committing(database, async (trx) => {
    const entry = await trx
      .selectFrom("entries")
      .select("seq")
      .where("version_id", "=", id)
      .executeTakeFirst();
    if (entry === undefined) await lake.remove(key);
  });
}
