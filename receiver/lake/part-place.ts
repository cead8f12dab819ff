/** Where part `number` of an upload lies: one arithmetic for every adapter, so that no part can reach into its neighbour. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PartUpload, StoredPart } from "./lake.ts";

/** Bytes, from 0. */
export interface Place {
  readonly start: number;
  readonly size: number;
}

/** Throws `part-invalid` when the upload has no such part. */
export function placeOf(upload: PartUpload, number: number): Place {
  const start = (number - 1) * upload.partSize;
  if (!Number.isSafeInteger(number) || number < 1 || start >= upload.size) {
    const count = Math.ceil(upload.size / upload.partSize);
    throw new ProblemError("part-invalid", `there is no part ${number}; this upload has parts 1 to ${count}`);
  }
  return { start, size: Math.min(upload.partSize, upload.size - start) };
}

/** Throws `part-size` when these are not as many bytes as the part has. */
export function requirePartSize(upload: PartUpload, number: number, size: number): Place {
  const place = placeOf(upload, number);
  if (size !== place.size) {
    throw new ProblemError("part-size", `part ${number} has ${place.size} bytes, but ${size} arrived`);
  }
  return place;
}

/** The body, cut off with `part-size` as soon as it is longer than its part: no sender fills the disk with one request. */
export async function* withinPart(
  upload: PartUpload,
  number: number,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const place = placeOf(upload, number);
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > place.size) requirePartSize(upload, number, size);
    yield chunk;
  }
}

/** Throws `digest-mismatch` when the whole is not what was declared. */
export function requireWhole(upload: PartUpload, found: string, declared: string): void {
  if (found === declared) return;
  throw new ProblemError(
    "digest-mismatch",
    `the ${upload.size} bytes of the parts have sha256 ${found}, declared was ${declared}; nothing was recorded`,
  );
}

/** The parts in order. Throws `parts-missing` when they do not make up the whole. */
export function requireAllParts(upload: PartUpload, parts: readonly StoredPart[]): StoredPart[] {
  const sorted = parts.toSorted((a, b) => a.number - b.number);
  const count = Math.ceil(upload.size / upload.partSize);
  if (sorted.length !== count || sorted.some((part, index) => part.number !== index + 1)) {
    throw new ProblemError("parts-missing", `the upload has ${count} parts, ${sorted.length} are stored`);
  }
  for (const part of sorted) requirePartSize(upload, part.number, part.size);
  return sorted;
}
