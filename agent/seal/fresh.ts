/**
 * What was read to be sealed a moment ago leaves without being read again. The bytes are those of the seal, whatever
 * became of the file since; bounded, and for a first try alone: what waits longer is read from where it lies.
 */

const MOST_BYTES = 8 * 2 ** 20;
const OLDEST_MS = 15_000;

interface Kept {
  readonly bytes: Buffer;
  readonly at: number;
}

export class FreshBytes {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;
  #size = 0;

  /** `now`: ms of a clock that never jumps. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Keeps them if there is room: those that came before leave before. */
  keep(captureId: string, bytes: Buffer): void {
    const now = this.#now();
    for (const [old, { at }] of this.#kept) {
      if (now - at < OLDEST_MS) break;
      this.take(old);
    }
    if (this.#size + bytes.length > MOST_BYTES) return;
    this.#size += bytes.length;
    this.#kept.set(captureId, { bytes, at: now });
  }

  /** The content of this capture, once. */
  take(captureId: string): Buffer | undefined {
    const kept = this.#kept.get(captureId);
    if (kept === undefined) return undefined;
    this.#kept.delete(captureId);
    this.#size -= kept.bytes.length;
    return kept.bytes;
  }
}
