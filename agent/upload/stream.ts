/** Bytes on their way out: small pieces, each through the bandwidth limit, hashed as they leave. */
import { createHash } from "node:crypto";
import type { VersionParcel } from "../queue/queue.ts";
import type { Bandwidth } from "./bandwidth.ts";
import { type Content, Superseded } from "./content.ts";

/** Bytes read, and written to the line, at once. */
export const PIECE = 128 * 2 ** 10;

/**
 * The bytes from `from` to `to`; before the last piece leaves, all of them are compared with `sha256` and the file
 * with its sealed state. So bytes that are no longer those that were sealed leave a request that never ends whole.
 */
export async function* bodyOf(
  bandwidth: Bandwidth,
  content: Content,
  parcel: VersionParcel,
  from: number,
  to: number,
  sha256: string,
): AsyncGenerator<Buffer> {
  const digest = createHash("sha256");
  for (let at = from; at < to; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, to - at));
    await content.fill(piece, at);
    digest.update(piece);
    at += piece.length;
    if (at === to) {
      await content.check();
      if (digest.digest("hex") !== sha256)
        throw new Superseded(`the bytes of ${parcel.captureId} are not those that were sealed`);
    }
    await bandwidth.pass(piece.length);
    yield piece;
  }
}

/** Bytes in memory, in the same small pieces: each waits for its bandwidth, none is copied. */
export async function* piecesOf(bandwidth: Bandwidth, bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, Math.min(at + PIECE, bytes.length));
    await bandwidth.pass(piece.length);
    yield piece;
  }
}
