/** Which bytes of a file somebody wrote: half-open ranges in order, apart from one another. */
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Extent {
  readonly start: number;
  readonly end: number;
}

export class Extents {
  #ranges: Extent[];

  constructor(ranges: readonly Extent[] = []) {
    this.#ranges = [...ranges];
  }

  get ranges(): readonly Extent[] {
    return this.#ranges;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const last = this.#ranges.at(-1);
    // Nearly all files grow at their end.
    if (last === undefined || start > last.end) {
      this.#ranges.push({ start, end });
      return;
    }
    const before = this.#ranges.filter((range) => range.end < start);
    const after = this.#ranges.filter((range) => range.start > end);
    const joined = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const from = Math.min(start, ...joined.map((range) => range.start));
    const to = Math.max(end, ...joined.map((range) => range.end));
    this.#ranges = [...before, { start: from, end: to }, ...after];
  }

  cut(size: number): void {
    this.#ranges = this.#ranges
      .filter((range) => range.start < size)
      .map(({ start, end }) => ({ start, end: Math.min(end, size) }));
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
