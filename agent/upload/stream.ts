/** Bytes on their way out, in pieces as small as the bandwidth asks for; what they come from is compared with what was sealed before the last one leaves. */
import { createHash } from "node:crypto";
import type { Bandwidth } from "../pace/bandwidth.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { type Content, Superseded } from "./content.ts";

/** Bytes read at once, and written to the line at once where nothing limits it. */
export const PIECE = 128 * 2 ** 10;
/** Pieces that one buffer holds: the client asks for the next when the one before is on the line, the others are to spare. */
const RING = 4;
export const RING_BYTES = RING * PIECE;

export interface Stretch {
  readonly bandwidth: Bandwidth;
  readonly content: Content;
  readonly parcel: VersionParcel;
  readonly from: number;
  readonly to: number;
  /** Compared here with the bytes that leave. Undefined: the receiver compares them with the digest that goes along. */
  readonly sha256: string | undefined;
  readonly signal: AbortSignal;
  /** RING_BYTES to read into, again and again; without it each piece has memory of its own. */
  readonly ring: Buffer | undefined;
}

/**
 * Before the last piece leaves, the file is compared with its sealed state and all bytes with `sha256`. So bytes that
 * are no longer those that were sealed leave a request that never ends whole, or one that the receiver refuses.
 */
export async function* bodyOf(stretch: Stretch): AsyncGenerator<Buffer> {
  const { bandwidth, content, parcel, from, to, sha256, signal, ring } = stretch;
  const digest = sha256 === undefined ? undefined : createHash("sha256");
  for (let at = from, turn = 0; at < to; turn = (turn + 1) % RING) {
    const length = Math.min(PIECE, to - at);
    const piece = ring?.subarray(turn * PIECE, turn * PIECE + length) ?? Buffer.allocUnsafeSlow(length);
    await content.fill(piece, at);
    digest?.update(piece);
    at += length;
    if (at === to) {
      await content.check();
      if (digest !== undefined && digest.digest("hex") !== sha256)
        throw new Superseded(`the bytes of ${parcel.captureId} are not those that were sealed`);
    }
    for (let sent = 0; sent < length; ) {
      const bytes = await bandwidth.take(length - sent, signal);
      yield piece.subarray(sent, sent + bytes);
      sent += bytes;
    }
  }
}
