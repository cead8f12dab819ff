/** One byte range of RFC 9110, 14.1.2; several at once are answered with the whole, as 14.2 allows. */
import type { ByteRange } from "../lake/lake.ts";

/** "whole": none is asked for, or none that can be read. "outside": nothing of the content lies in it. */
export function parseRange(field: string | undefined, size: number): ByteRange | "whole" | "outside" {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(field?.trim() ?? "");
  const [first, last] = [match?.[1], match?.[2]];
  if (!first && !last) return "whole";
  if (!first) return lastBytes(Number(last), size);
  const start = Number(first);
  if (last && Number(last) < start) return "whole";
  if (start >= size) return "outside";
  return { start, end: last ? Math.min(Number(last), size - 1) : size - 1 };
}

/** RFC 9110, 14.1.2: the last bytes of nothing can be given, as nothing; no last bytes at all cannot. */
function lastBytes(count: number, size: number): ByteRange | "whole" | "outside" {
  if (count === 0) return "outside";
  return size === 0 ? "whole" : { start: Math.max(0, size - count), end: size - 1 };
}
