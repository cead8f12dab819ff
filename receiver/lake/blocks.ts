/**
 * Buffers that are used again and again. Bytes that come by the gigabyte in pieces of 32 KiB would otherwise be
 * garbage by the gigabyte, and V8 spends more on that than all else that is done with them costs.
 */
export class Blocks {
  readonly size: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /** `most`: how many are kept for later. */
  constructor(size: number, most: number) {
    this.size = size;
    this.#most = most;
  }

  /** What is in it is whatever was in it before. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  /** Nobody looks at it any more. */
  give(block: Buffer): void {
    if (block.length === this.size && this.#free.length < this.#most) this.#free.push(block);
  }
}
