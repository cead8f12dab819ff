/** Pages of Parquet, unpacked within bounds: a page says how large it becomes, and is held to it. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Compressors } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { TooMuch } from "../source.ts";

const MOST_IN_ALL = 96 * 2 ** 20;

type Unpack = (input: Uint8Array, length: number) => Uint8Array;

/** Of one preview. Where Node has the format itself its own code is used: it takes a bound. */
export function boundedCompressors(): Compressors {
  let left = MOST_IN_ALL;
  const bounded =
    (unpack: Unpack): Unpack =>
    (input, length) => {
      left -= Math.max(0, length);
      if (!(left >= 0))
        throw new TooMuch("More would have to be unpacked for a preview than is allowed (96 MiB).");
      return unpack(input, length);
    };
  const node = (unpack: (input: Uint8Array, ways: { maxOutputLength: number }) => Buffer): Unpack =>
    bounded((input, length) => unpack(input, { maxOutputLength: Math.max(1, length) }));
  const own = (name: "SNAPPY" | "LZ4" | "LZ4_RAW"): Unpack =>
    bounded((input, length) => compressors[name]?.(input, length) ?? new Uint8Array());
  return {
    GZIP: node(gunzipSync),
    BROTLI: node(brotliDecompressSync),
    ZSTD: node(zstdDecompressSync),
    SNAPPY: own("SNAPPY"),
    LZ4: own("LZ4"),
    LZ4_RAW: own("LZ4_RAW"),
  };
}
