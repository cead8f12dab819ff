/** One upload as its row says: what it stands for, its parts, and the problems that follow from its state. Pure. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PartAnswer, UploadRequest } from "@tributary/shared/protocol.ts";
import { isInQuarantine } from "../lake/key.ts";
import type { PartUpload } from "../lake/lake.ts";
import type { VersionCapture } from "../ledger/ledger.ts";
import type { Inspecting } from "./inspecting.ts";
import type { PartRow, UploadRow } from "./upload-rows.ts";

/** As the lake knows it. */
export function partUpload(row: UploadRow): PartUpload {
  return { key: row.lake_key, handle: row.handle, size: row.size, partSize: row.part_size };
}

/** An empty file has no parts. */
export function partCount(row: Pick<UploadRow, "size" | "part_size">): number {
  return Math.ceil(row.size / row.part_size);
}

/** Bytes that this part must have. Throws `part-invalid`. */
export function partBytes(row: UploadRow, number: number): number {
  const count = partCount(row);
  if (!Number.isInteger(number) || number < 1 || number > count)
    throw new ProblemError("part-invalid", `this upload has parts 1 to ${count}, not ${number}`);
  return number < count ? row.part_size : row.size - (count - 1) * row.part_size;
}

/** What becomes a version when it is put together. */
export function captureOf(row: UploadRow, seesAll: boolean): VersionCapture {
  return {
    kind: "version",
    client: row.client,
    source: row.source,
    pathEncoded: row.path_encoded,
    captureId: row.capture_id,
    versionId: row.version_id,
    sealedAt: row.sealed_at,
    channel: row.channel,
    bearer: { id: row.bearer, seesAll },
    size: row.size,
    sha256: row.sha256,
    modifiedAt: row.modified_at,
    key: null,
  };
}

/** A part may come again, with the same bytes. Throws `part-conflict`. */
export function samePart(before: PartRow, answer: PartAnswer): PartAnswer {
  if (before.size === answer.size && before.sha256 === answer.sha256) return answer;
  throw new ProblemError(
    "part-conflict",
    `part ${answer.number} arrived before with sha256 ${before.sha256}, now with ${answer.sha256}`,
  );
}

/** Throws `parts-missing`. */
export function requireAllParts(row: UploadRow, parts: readonly PartRow[]): void {
  const there = new Set(parts.map((part) => part.number));
  const missing: number[] = [];
  for (let number = 1; number <= partCount(row); number += 1) if (!there.has(number)) missing.push(number);
  if (missing.length === 0) return;
  const shown = missing.slice(0, 20).join(", ");
  throw new ProblemError(
    "parts-missing",
    `${missing.length} of ${partCount(row)} parts are missing: ${shown}${missing.length > 20 ? ", …" : ""}`,
  );
}

/** The same create again is for the same content. Throws `capture-conflict`. */
export function requireSameContent(row: UploadRow, request: UploadRequest): void {
  if (
    row.source === request.source &&
    row.path_encoded === request.pathEncoded &&
    row.size === request.size &&
    row.sha256 === request.sha256
  )
    return;
  throw new ProblemError(
    "capture-conflict",
    `the captureId ${row.capture_id} stands for other content in the open upload ${row.id}`,
  );
}

/** `came` undefined: more than expected, it was not counted to the end. */
export function partSizeProblem(number: number, expected: number, came: number | undefined): ProblemError {
  return new ProblemError(
    "part-size",
    `part ${number} must have ${expected} bytes, ${came === undefined ? "more" : came} came`,
  );
}

/** Why no step can be taken: it is being completed, or has ended. */
export function closed(row: Pick<UploadRow, "id" | "state">): ProblemError {
  if (row.state === "completing" || row.state === "open")
    return new ProblemError("upload-busy", `the upload ${row.id} is being completed; ask again`, {
      retryAfter: 2,
    });
  return new ProblemError(
    "upload-closed",
    `the upload ${row.id} was ${row.state === "done" ? "completed" : "aborted"}`,
  );
}

/** It was begun below `raw/`, before there was an inspection: nothing is put together there any more. */
export function mustBegin(inspecting: Pick<Inspecting, "concerns">, row: UploadRow): boolean {
  return inspecting.concerns(row.size) && !isInQuarantine(row.lake_key);
}
