/** Why nothing comes of a source, in one sentence: the first question of whoever misses a file. Pure. */

export interface Standing {
  /** Why it cannot be reached; undefined: it can. */
  readonly away: string | undefined;
  /** ms since 1970; undefined: never. */
  readonly lastScanAt: number | undefined;
  /** ms since 1970; undefined: no look is planned yet. */
  readonly nextScanAt: number | undefined;
  /** Files that its rules take, at the last look. */
  readonly files: number;
  /** Whether the last look saw all of it. */
  readonly whole: boolean;
  /** Files that they do not, at the last look. */
  readonly leftOut: number;
  /** Files that are waited for. */
  readonly settling: number;
  readonly scanning: boolean;
  /** Files come by events, too: that none were there at the last look says nothing. */
  readonly events: boolean;
}

/** Undefined: nothing keeps its files back. */
export function whyNothing(standing: Standing): string | undefined {
  const { away, lastScanAt, nextScanAt, files, whole, leftOut, settling, scanning, events } = standing;
  if (away !== undefined) return away;
  if (lastScanAt === undefined) {
    if (scanning) return "it is looked through for the first time";
    if (nextScanAt === undefined) return undefined;
    return `it is looked through for the first time at ${new Date(nextScanAt).toLocaleString("sv")}`;
  }
  if (files > 0) return undefined;
  if (settling > 0) return undefined;
  if (!whole) return "not all of it could be looked at: see its problems";
  if (leftOut > 0)
    return `${leftOut === 1 ? "one file is" : `${leftOut} files are`} there, and none that its rules take`;
  if (events) return undefined;
  return "it was empty when it was last looked through";
}
