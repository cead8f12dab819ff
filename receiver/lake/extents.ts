/** Which bytes of a file somebody wrote: half-open ranges in order, apart from one another. */
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Programs that send side by side have a few; each costs memory, and a place in the file's note. */
const MOST_RANGES = 10_000;

export class Extents {
  #ranges: Extent[];

  constructor(ranges: readonly Extent[] = []) {
    this.#ranges = [...ranges];
  }

  get ranges(): readonly Extent[] {
    return this.#ranges;
  }

  /** Throws `request-invalid` where it would leave too many gaps. */
  add(start: number, end: number): void {
    if (end <= start) return;
    // Those from the first that touches it up to the last that does are one with it.
    const first = this.#firstWhere((range) => range.end >= start);
    const behind = this.#firstWhere((range) => range.start > end);
    const from = Math.min(start, this.#ranges[first]?.start ?? start);
    const to = Math.max(end, this.#ranges[behind - 1]?.end ?? end);
    if (behind === first && this.#ranges.length >= MOST_RANGES) throw tooManyGaps();
    this.#ranges.splice(first, behind - first, { start: from, end: to });
  }

  cut(size: number): void {
    this.#ranges = this.#ranges
      .filter((range) => range.start < size)
      .map(({ start, end }) => ({ start, end: Math.min(end, size) }));
  }

  /** The place of the first range that is so; all behind it are. */
  #firstWhere(isSo: (range: Extent) => boolean): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && isSo(range)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The first of the bytes below `size` that nobody wrote. */
  missing(size: number): Extent | undefined {
    let at = 0;
    for (const { start, end } of this.#ranges) {
      if (at >= size) return undefined;
      if (start > at) return { start: at, end: Math.min(start, size) };
      at = end;
    }
    return at < size ? { start: at, end: size } : undefined;
  }
}

/** What is put together of a file with gaps would not be what was sent. Throws `length-mismatch`. */
export function requireNothingMissing(missing: Extent | undefined): void {
  if (missing === undefined) return;
  throw new ProblemError(
    "length-mismatch",
    `bytes ${missing.start} to ${missing.end - 1} were never written; nothing was recorded`,
  );
}

const tooManyGaps = () =>
  new ProblemError(
    "request-invalid",
    `what was written of this file lies apart in ${MOST_RANGES} places, and more are not kept; nothing was recorded, send it again in order`,
  );
