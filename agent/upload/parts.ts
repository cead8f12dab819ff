/**
 * A large file in parallel parts. The receiver says which parts it has, so a transfer that was cut goes on from
 * there; creating is idempotent by captureId, so what the receiver swept meanwhile simply begins anew.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { formatDigest } from "@tributary/shared/digest.ts";
import { modifiedAt } from "@tributary/shared/modified.ts";
import { encodePath } from "@tributary/shared/path.ts";
import { type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import {
  deliveryAnswer,
  HEADER,
  partSizeFor,
  ROUTE,
  type UploadRequest,
  type UploadState,
  uploadState,
} from "@tributary/shared/protocol.ts";
import type { Answer } from "../identity/answer.ts";
import type { Receiver } from "../identity/receiver.ts";
import type { Bandwidth } from "../pace/bandwidth.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { type Content, Superseded } from "./content.ts";
import type { PlaceHeaders } from "./place-headers.ts";
import { backoffMs } from "./retry.ts";
import type { Slot, Slots } from "./slots.ts";
import { bodyOf, PIECE, type Stretch } from "./stream.ts";

export interface PartsOptions {
  readonly receiver: Pick<Receiver, "call">;
  readonly headersOf: PlaceHeaders;
  readonly bandwidth: Bandwidth;
  /** Parts that were begun and not answered, of all parcels. */
  readonly underway: Slots<undefined>;
  /** RING_BYTES each, for the parts of all parcels whose bytes leave now: bounds the memory of the whole agent. */
  readonly rings: Slots<Buffer>;
  readonly random: () => number;
}

/** Tries of one part before the whole parcel is given back. */
const PART_TRIES = 4;
/** Who is to wait longer waits in the queue: here it would keep a slot from all other large files. */
const PART_PATIENCE_S = 10;
/** The receiver reads what parts of several receivers made up once before it answers. */
const COMPLETE_MS = 10 * 60_000;
/** The upload is of no use any more; a new one of the same capture is. */
const BEGIN_ANEW: readonly ProblemCode[] = [
  "upload-unknown",
  "upload-closed",
  "part-conflict",
  "parts-missing",
  "digest-mismatch",
];

/** The receiver's answer with the receipt. Throws as `Carry` does. */
export async function carryInParts(
  options: PartsOptions,
  parcel: VersionParcel,
  content: Content,
  signal: AbortSignal,
): Promise<Answer> {
  for (let round = 0; ; round += 1) {
    const begun = await create(options, parcel, signal);
    if (!("upload" in begun)) return begun;
    const { upload } = begun;
    try {
      await sendMissing(options, parcel, content, upload, signal);
      await content.check();
      return await options.receiver.call({
        method: "POST",
        path: `${ROUTE.uploads}/${upload.uploadId}/complete`,
        headers: options.headersOf(parcel),
        signal,
        answerMs: COMPLETE_MS,
      });
    } catch (cause) {
      const anew = cause instanceof ProblemError && BEGIN_ANEW.includes(cause.code);
      if (!anew && !(cause instanceof Superseded)) throw cause;
      await abandon(options, parcel, upload, signal);
      if (cause instanceof Superseded) throw cause;
      // Either the bytes changed under us, or they were damaged on the way.
      if (cause.code === "digest-mismatch" || cause.code === "part-conflict")
        await requireSealed(parcel, content, signal);
      if (round > 0) throw cause;
    }
  }
}

async function create(
  options: PartsOptions,
  parcel: VersionParcel,
  signal: AbortSignal,
): Promise<Answer | { readonly upload: UploadState }> {
  const request: UploadRequest = {
    source: parcel.source,
    pathEncoded: encodePath(parcel.path),
    size: parcel.state.size,
    sha256: parcel.sha256,
    captureId: parcel.captureId,
    modifiedAt: modifiedAt(parcel.state.mtimeNs),
    sealedAt: parcel.sealedAt,
  };
  const answer = await options.receiver.call({
    method: "POST",
    path: ROUTE.uploads,
    headers: { "content-type": "application/json", ...options.headersOf(parcel) },
    body: JSON.stringify(request),
    signal,
  });
  if (deliveryAnswer.safeParse(answer.json).success) return answer;
  const state = uploadState.safeParse(answer.json);
  if (!state.success)
    throw new ProblemError("receiver-unreachable", "the answer to beginning an upload cannot be read", {
      cause: state.error,
    });
  const { partSize, partCount } = state.data;
  if (partSize < 1 || Math.ceil(parcel.state.size / partSize) !== partCount)
    throw new ProblemError(
      "receiver-unreachable",
      `the upload that was begun has ${partCount} parts of ${partSize} bytes, which is not this file`,
    );
  return { upload: state.data };
}

async function sendMissing(
  options: PartsOptions,
  parcel: VersionParcel,
  content: Content,
  upload: UploadState,
  outer: AbortSignal,
): Promise<void> {
  const there = new Set(upload.parts.map((part) => part.number));
  const missing = Array.from({ length: upload.partCount }, (_, i) => i + 1).filter((n) => !there.has(n));
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < missing.length && !failed.signal.aborted) {
      const number = missing[next++] as number;
      await sendPart(options, parcel, content, upload, number, signal);
    }
  };
  const workers = Array.from({ length: Math.min(options.underway.count, missing.length) }, async () => {
    try {
      await work();
    } catch (cause) {
      failed.abort(cause);
      throw cause;
    }
  });
  // All of them have let go of the file before it is closed; the first failure is the one that is told.
  await Promise.allSettled(workers);
  if (outer.aborted) throw outer.reason;
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function sendPart(
  options: PartsOptions,
  parcel: VersionParcel,
  content: Content,
  upload: UploadState,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const from = (number - 1) * upload.partSize;
  const to = Math.min(from + upload.partSize, parcel.state.size);
  using _ = await options.underway.take(signal);
  await content.check();
  const { bandwidth, rings } = options;
  const sealed = sealedDigest(parcel, upload, number);
  const sha256 = sealed ?? (await digestOf(content, rings, from, to, signal));
  const stretch = { bandwidth, content, parcel, from, to, signal, sha256: sealed ? undefined : sha256 };
  for (let attempt = 1; ; attempt += 1) {
    // Before the line is opened: one on which nothing comes is closed by the receiver.
    const turn = new Turn(rings, await rings.take(signal));
    try {
      await options.receiver.call({
        method: "PUT",
        path: `${ROUTE.uploads}/${upload.uploadId}/parts/${number}`,
        headers: {
          "content-length": String(to - from),
          "content-type": "application/octet-stream",
          ...options.headersOf(parcel),
          [HEADER.contentDigest]: formatDigest(sha256),
        },
        body: () => turn.body(stretch),
        signal,
      });
      return;
    } catch (cause) {
      const again =
        cause instanceof ProblemError &&
        cause.retry &&
        cause.code !== "agent-forked" &&
        cause.code !== "lease-lost" &&
        (cause.retryAfter ?? 0) <= PART_PATIENCE_S;
      if (!again || attempt === PART_TRIES) throw cause;
      turn.end();
      await sleep(backoffMs(attempt, cause.retryAfter, options.random), undefined, { signal });
    } finally {
      turn.end();
    }
  }
}

/**
 * A ring for the time in which a part's bytes leave, and no longer. While the receiver makes one durable the next ones
 * travel: parts that keep theirs until they are answered end all at once, and wait for its disk all at once.
 */
class Turn {
  readonly #rings: Slots<Buffer>;
  #ring: Slot<Buffer> | undefined;

  constructor(rings: Slots<Buffer>, ring: Slot<Buffer>) {
    this.#rings = rings;
    this.#ring = ring;
  }

  /** Asked for again when the line broke, while the one before may still be reading: each has a ring of its own. */
  async *body(stretch: Omit<Stretch, "ring">): AsyncGenerator<Buffer> {
    const begunWith = this.#ring;
    this.#ring = undefined;
    using ring = begunWith ?? (await this.#rings.take(stretch.signal));
    yield* bodyOf({ ...stretch, ring: ring.value });
  }

  /** Gives back the ring that no body began with. */
  end(): void {
    this.#ring?.[Symbol.dispose]();
    this.#ring = undefined;
  }
}

/** The part's digest as it was found when the file was sealed, if the receiver's parts are the ones that were hashed then. */
function sealedDigest(parcel: VersionParcel, upload: UploadState, number: number): string | undefined {
  const { partDigests, state } = parcel;
  if (partDigests === undefined || upload.partSize !== partSizeFor(state.size)) return undefined;
  return partDigests.subarray((number - 1) * 32, number * 32).toString("hex");
}

async function digestOf(
  content: Content,
  rings: Slots<Buffer>,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<string> {
  using ring = await rings.take(signal);
  const buffer = ring.value;
  const digest = createHash("sha256");
  for (let at = from; at < to; ) {
    const bytes = buffer.subarray(0, Math.min(buffer.length, to - at));
    await content.fill(bytes, at);
    digest.update(bytes);
    at += bytes.length;
  }
  return digest.digest("hex");
}

/** Throws Superseded unless all bytes together still are those that were sealed. */
async function requireSealed(parcel: VersionParcel, content: Content, signal: AbortSignal): Promise<void> {
  await content.check();
  const digest = createHash("sha256");
  const buffer = Buffer.allocUnsafe(PIECE);
  for (let at = 0; at < parcel.state.size; ) {
    signal.throwIfAborted();
    const bytes = buffer.subarray(0, Math.min(buffer.length, parcel.state.size - at));
    await content.fill(bytes, at);
    digest.update(bytes);
    at += bytes.length;
  }
  if (digest.digest("hex") !== parcel.sha256)
    throw new Superseded("the bytes are not those that were sealed");
}

/** The receiver would sweep it anyway; this gives the room back now. */
async function abandon(
  options: PartsOptions,
  parcel: VersionParcel,
  upload: UploadState,
  signal: AbortSignal,
): Promise<void> {
  const path = `${ROUTE.uploads}/${upload.uploadId}`;
  await options.receiver
    .call({ method: "DELETE", path, headers: { [HEADER.client]: parcel.client }, signal })
    .catch(() => undefined);
}
