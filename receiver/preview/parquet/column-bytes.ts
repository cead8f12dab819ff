/** The beginnings of columns: one may be a hundred megabytes, of which the first page is enough for the first rows. */
import type { AsyncBuffer } from "hyparquet";
import type { Source } from "../source.ts";

export interface ColumnBytes {
  /** For the library: whatever it asks for, it gets no more than the first `most` bytes of it. */
  upTo(most: number): AsyncBuffer;
  /** The last `upTo` left something out. */
  readonly short: () => boolean;
}

/** Bytes that were read once are not read again when more of them are wanted. */
export function columnBytes(source: Source): ColumnBytes {
  const known = new Map<number, Buffer>();
  let short = false;
  return {
    short: () => short,
    upTo: (most) => {
      short = false;
      return {
        byteLength: source.size,
        slice: async (start, end = source.size) => {
          if (end - start > most) short = true;
          const length = Math.min(end - start, most);
          const before = known.get(start) ?? Buffer.alloc(0);
          const rest = await source.read(start + before.length, start + length);
          const bytes = rest.length === 0 ? before : Buffer.concat([before, rest]);
          known.set(start, bytes);
          return new Uint8Array(bytes.subarray(0, length)).buffer;
        },
      };
    },
  };
}
