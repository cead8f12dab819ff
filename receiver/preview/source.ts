/** The file as readers of formats see it: any range of it, within what a preview may take from the lake in all. */
import { MOST_AT_ONCE, MOST_IN_ALL } from "./messages.ts";

export interface Source {
  readonly size: number;
  /** `end` is behind the last byte; what lies beyond the file is left out. Rejects with `TooMuch` when it would be too many bytes in all. */
  read(start: number, end: number): Promise<Buffer>;
}

/** A bound of the preview was met; the message is a sentence for people. */
export class TooMuch extends Error {}

export function sourceOf(size: number, ask: (start: number, end: number) => Promise<Uint8Array>): Source {
  let left = MOST_IN_ALL;
  let last: Promise<unknown> = Promise.resolve();
  const readNow = async (start: number, end: number): Promise<Buffer> => {
    const to = Math.min(size, Math.ceil(end));
    const from = Math.max(0, Math.floor(start));
    if (!(to > from)) return Buffer.alloc(0);
    left -= to - from;
    if (!(left >= 0)) throw new TooMuch("A preview of it would read too much of it.");
    const pieces: Uint8Array[] = [];
    for (let at = from; at < to; at += MOST_AT_ONCE)
      pieces.push(await ask(at, Math.min(to, at + MOST_AT_ONCE)));
    const [only = Buffer.alloc(0)] = pieces;
    return pieces.length <= 1
      ? Buffer.from(only.buffer, only.byteOffset, only.length)
      : Buffer.concat(pieces);
  };
  return {
    size,
    // One question at a time, whoever asks.
    read: (start, end) => {
      const mine = last.then(() => readNow(start, end));
      last = mine.catch(() => {});
      return mine;
    },
  };
}
