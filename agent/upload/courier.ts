/**
 * Carries one parcel once. What it promises: a parcel counts as delivered only against a receipt that verifies and
 * is for this very parcel; bytes that are no longer those that were sealed are never completed at the receiver.
 */
import { hash } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { modifiedAt } from "@tributary/shared/modified.ts";
import { encodePath, pathForUrl } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  deliveryAnswer,
  HEADER,
  type Jwks,
  jwks,
  type RemovalRequest,
  ROUTE,
} from "@tributary/shared/protocol.ts";
import type { ReceiptClaims } from "@tributary/shared/receipt.ts";
import type { Answer } from "../identity/answer.ts";
import type { Body } from "../identity/receiver.ts";
import { counted, takeAll } from "../pace/bandwidth.ts";
import type { Parcel, RemovalParcel, VersionParcel, Waiting } from "../queue/queue.ts";
import type { FreshBytes } from "../seal/fresh.ts";
import { IN_PARTS_FROM } from "../seal/part-hasher.ts";
import type { Bundles } from "./bundles.ts";
import { type Content, type OpenContent, type ReadSmall, Superseded } from "./content.ts";
import { carryInParts, type PartsOptions } from "./parts.ts";
import { underOneTerm } from "./place-headers.ts";
import { checkReceipt, receiptKeyId } from "./proof.ts";
import { bodyOf, PIECE } from "./stream.ts";

export type Carried =
  | { readonly kind: "delivered"; readonly receipt: string; readonly claims: ReceiptClaims }
  | { readonly kind: "superseded"; readonly detail: string };

export interface CourierOptions extends PartsOptions {
  readonly open: OpenContent;
  readonly site: () => string;
  readonly jwks: () => Jwks;
  readonly bundles: Bundles;
  readonly fresh: FreshBytes;
  readonly readSmall: ReadSmall;
  /** Files of at most so many bytes leave in bundles. */
  readonly ridesUpTo: () => number;
  /** So many bytes of a parcel may leave, and do. */
  readonly left: (captureId: string, bytes: number) => void;
}

/** Throws the ProblemError that kept the parcel from being delivered this time, or the reason of an aborted signal. */
export type Carry = (waiting: Waiting, signal: AbortSignal) => Promise<Carried>;

export function courier(options: CourierOptions): Carry {
  return async (waiting, signal) => {
    const { parcel } = waiting;
    try {
      const now = {
        ...options,
        headersOf: underOneTerm(options.headersOf, parcel),
        bandwidth: counted(options.bandwidth, (bytes) => options.left(parcel.captureId, bytes)),
      };
      const answer =
        parcel.kind === "removal" ? await remove(now, parcel, signal) : await bring(now, parcel, signal);
      const { receipt, claims } = await proven(now, parcel, answer, signal);
      return { kind: "delivered", receipt, claims };
    } catch (cause) {
      const superseded = supersededIn(cause);
      if (superseded === undefined) throw cause;
      return { kind: "superseded", detail: superseded.message };
    }
  };
}

/** The HTTP client wraps what a body's reading threw. */
function supersededIn(cause: unknown): Superseded | undefined {
  for (let at = cause; at instanceof Error; at = at.cause) if (at instanceof Superseded) return at;
  return undefined;
}

async function remove(options: CourierOptions, parcel: RemovalParcel, signal: AbortSignal): Promise<Answer> {
  const request: RemovalRequest = {
    source: parcel.source,
    pathEncoded: encodePath(parcel.path),
    captureId: parcel.captureId,
    sealedAt: parcel.sealedAt,
    ...(parcel.endedNs === undefined ? {} : { modifiedAt: modifiedAt(parcel.endedNs) }),
  };
  return await options.receiver.call({
    method: "POST",
    path: ROUTE.removals,
    headers: {
      "content-type": "application/json",
      ...options.headersOf(parcel),
      [HEADER.idempotencyKey]: parcel.captureId,
    },
    body: JSON.stringify(request),
    signal,
  });
}

async function bring(options: CourierOptions, parcel: VersionParcel, signal: AbortSignal): Promise<Answer> {
  const small = options.fresh.take(parcel.captureId) ?? readAgain(options, parcel);
  if (small !== undefined) {
    await takeAll(options.bandwidth, small.length, signal);
    return await bringSmall(options, parcel, small, signal);
  }
  await using content = await options.open(parcel);
  if (parcel.state.size >= IN_PARTS_FROM) return await carryInParts(options, parcel, content, signal);
  if (parcel.state.size <= Math.max(PIECE, options.ridesUpTo()))
    return await bringSmall(options, parcel, await whole(options, parcel, content, signal), signal);
  const { size } = parcel.state;
  return await put(
    options,
    parcel,
    () =>
      bodyOf({
        bandwidth: options.bandwidth,
        content,
        parcel,
        from: 0,
        to: size,
        sha256: parcel.sha256,
        signal,
        ring: undefined,
      }),
    signal,
  );
}

function readAgain({ readSmall, ridesUpTo }: CourierOptions, parcel: VersionParcel): Buffer | undefined {
  if (parcel.state.size > ridesUpTo()) return undefined;
  const bytes = readSmall(parcel);
  if (bytes !== undefined && hash("sha256", bytes, "hex") !== parcel.sha256) throw otherBytes();
  return bytes;
}

const otherBytes = (): Superseded => new Superseded("the bytes are not those that were sealed");

async function bringSmall(
  options: CourierOptions,
  parcel: VersionParcel,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<Answer> {
  if (bytes.length <= options.ridesUpTo()) {
    const answer = await options.bundles.carry(parcel, bytes, options.headersOf(parcel), signal);
    if (answer !== "alone") return answer;
  }
  return await put(options, parcel, bytes, signal);
}

async function put(
  options: CourierOptions,
  parcel: VersionParcel,
  body: Body,
  signal: AbortSignal,
): Promise<Answer> {
  const { size, mtimeNs } = parcel.state;
  return await options.receiver.call({
    method: "PUT",
    path: `${ROUTE.files}/${parcel.source}/${pathForUrl(parcel.path)}`,
    headers: {
      "content-length": String(size),
      "content-type": "application/octet-stream",
      ...options.headersOf(parcel),
      [HEADER.idempotencyKey]: parcel.captureId,
      [HEADER.reprDigest]: formatDigest(parcel.sha256),
      [HEADER.modifiedAt]: modifiedAt(mtimeNs),
      [HEADER.sealedAt]: parcel.sealedAt,
    },
    body,
    signal,
  });
}

/** A small file is read and compared before the first byte leaves. */
async function whole(
  options: CourierOptions,
  parcel: VersionParcel,
  content: Content,
  signal: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(parcel.state.size);
  await content.fill(bytes, 0);
  await content.check();
  if (hash("sha256", bytes, "hex") !== parcel.sha256) throw otherBytes();
  await takeAll(options.bandwidth, bytes.length, signal);
  return bytes;
}

async function proven(
  options: CourierOptions,
  parcel: Parcel,
  answer: Answer,
  signal: AbortSignal,
): Promise<{ receipt: string; claims: ReceiptClaims }> {
  const delivery = deliveryAnswer.safeParse(answer.json);
  if (!delivery.success)
    throw new ProblemError("receipt-invalid", `the answer ${answer.status} holds no receipt`, {
      cause: delivery.error,
    });
  const { receipt } = delivery.data;
  let keys = options.jwks();
  if (!keys.keys.some((key) => key.kid === receiptKeyId(receipt))) {
    const fetched = jwks.safeParse(
      (await options.receiver.call({ method: "GET", path: ROUTE.jwks, signal })).json,
    );
    if (fetched.success) keys = fetched.data;
  }
  return { receipt, claims: checkReceipt(receipt, parcel, options.site(), keys) };
}
