/**
 * What arrives in small pieces is gathered into blocks that are used again and again. The pieces are given back to
 * the system at once: left to V8, they set off a marking of the whole heap for every 30 MB that arrive.
 */

/** Large enough that hashing and writing cost few calls, small enough that a block is still in the processor's cache. */
export const BLOCK = 256 * 2 ** 10;
/** Blocks kept for the next body, of the whole process. */
const KEPT = 16;
const kept: Buffer[] = [];

export interface Blocks {
  /** Takes a piece over: its memory is no longer the caller's. */
  add(piece: Buffer): void;
  /** A block is full. */
  readonly ready: boolean;
  /** All blocks are full: nothing more should come before `next`. */
  readonly overflows: boolean;
  /** A full block, or with `any` what there is; undefined when there is none. What it gave before is filled anew. */
  next(any: boolean): Buffer | undefined;
  /** What `next` gave is not used any more. */
  end(): void;
}

/** For one body, whose size is known or not. At most two blocks, whatever its size: one is filled while the other is used. */
export function gatherBlocks(size: number | undefined): Blocks {
  const length = Math.min(size ?? BLOCK, BLOCK);
  const idle: Buffer[] = [];
  const full: Buffer[] = [];
  let made = 0;
  let used: Buffer | undefined;
  let filling: Buffer | undefined;
  let filled = 0;
  /** What did not fit. */
  let rest: Buffer | undefined;

  const block = (): Buffer | undefined => {
    const free = idle.pop();
    if (free !== undefined || made === 2) return free;
    made += 1;
    return (length === BLOCK ? kept.pop() : undefined) ?? Buffer.allocUnsafeSlow(length);
  };
  const fill = (piece: Buffer): void => {
    for (let at = 0; at < piece.length; ) {
      filling ??= block();
      if (filling === undefined) {
        rest = Buffer.from(piece.subarray(at));
        break;
      }
      const count = piece.copy(filling, filled, at);
      at += count;
      filled += count;
      if (filled < filling.length) continue;
      full.push(filling);
      filling = undefined;
      filled = 0;
    }
    giveBack(piece);
  };
  return {
    add(piece) {
      // What was on its way when the stream was stopped queues behind.
      if (rest === undefined) fill(piece);
      else rest = Buffer.concat([rest, piece]);
    },
    get ready() {
      return full.length > 0;
    },
    get overflows() {
      return rest !== undefined;
    },
    next(any) {
      if (used !== undefined) idle.push(used);
      const before = rest;
      rest = undefined;
      if (before !== undefined) fill(before);
      used = full.shift();
      if (used !== undefined || !any || filling === undefined) return used;
      used = filling;
      filling = undefined;
      const length = filled;
      filled = 0;
      return used.subarray(0, length);
    },
    end() {
      const all = [...idle, ...full, used, filling];
      for (const free of all) if (free?.length === BLOCK && kept.length < KEPT) kept.push(free);
    },
  };
}

/** Only where the piece is all that its memory holds: a slice of Node's pool belongs to others too. */
function giveBack(piece: Buffer): void {
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.length && piece.length > 0)
    buffer.transfer(0);
}
