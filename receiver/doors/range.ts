/** One byte range of RFC 9110, 14.1.2; several at once are answered with the whole, as 14.2 allows. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { ByteRange } from "../lake/lake.ts";

/** Undefined: the whole. Throws `range-invalid` when it lies outside. */
export function parseRange(field: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(field?.trim() ?? "");
  const [first, last] = [match?.[1], match?.[2]];
  if (!first && !last) return undefined;
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1;
  if (first && last && Number(last) < Number(first)) return undefined;
  if (start > end || start >= size)
    throw new ProblemError("range-invalid", `the content has ${size} bytes; "${field}" lies outside`);
  return { start, end };
}
