/** Times of files on the wire. */

/** RFC 3339 with milliseconds, as the wire has it; the file system's nanoseconds are cut. */
export function modifiedAt(mtimeNs: bigint): string {
  const ms = Number(mtimeNs / 1_000_000n) - (mtimeNs < 0n && mtimeNs % 1_000_000n !== 0n ? 1 : 0);
  // Outside of the years 1 to 9999 RFC 3339 has no words for it.
  return new Date(Math.min(Math.max(ms, -62_135_596_800_000), 253_402_300_799_999)).toISOString();
}
