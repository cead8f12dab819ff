/**
 * The bytes of an open file, in order, while much of it is on its way: as much as the line's window, and never more than
 * whoever reads has room for. What the server gives less of than was asked for is asked for again.
 */
import type { Session } from "./session.ts";

/** Of one file on its way at once: the window of the channel, which is all that can be. */
const AHEAD = 2 * 2 ** 20;

interface Piece {
  readonly bytes: readonly Buffer[];
  /** The file has no more. */
  readonly ended: boolean;
}

/** `size`: as the server told it; what is really there counts. Throws what `Session.read` throws. */
export async function* reading(
  session: Session,
  handle: Buffer,
  from: number,
  size: number,
): AsyncGenerator<Buffer> {
  let length = session.readLength;

  /** All of it, or all that there is. */
  async function piece(offset: number, wanted: number): Promise<Piece> {
    const bytes: Buffer[] = [];
    for (let got = 0; got < wanted; ) {
      const some = await session.read(handle, offset + got, wanted - got);
      if (some === undefined) return { bytes, ended: true };
      // It gives no more at once than this: what is asked for next is no more either.
      if (some.length < wanted - got) length = Math.max(4096, Math.min(length, some.length));
      bytes.push(some);
      got += some.length;
    }
    return { bytes, ended: false };
  }

  const asked: Promise<Piece>[] = [];
  let next = from;
  let told = size;
  let beyond = false;
  for (;;) {
    // One more than its size tells: whether it ends there is asked at the same time.
    while (asked.length * length < AHEAD && (next < told || !beyond)) {
      const wanted = next < told ? Math.min(length, told - next) : length;
      beyond = next >= told;
      const one = piece(next, wanted);
      // It may fail after this reading was given up.
      one.catch(() => undefined);
      asked.push(one);
      next += wanted;
    }
    const { bytes, ended } = await (asked.shift() as Promise<Piece>);
    yield* bytes;
    if (ended) return;
    // It has more than was told, and nobody knows how much.
    if (asked.length === 0 && beyond) {
      told = next * 2;
      beyond = false;
    }
  }
}
