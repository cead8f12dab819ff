/** What a reader of bytes asked for: all of it, a range, or nothing that it has already (RFC 9110, 13 and 14). */
import type { ByteRange } from "../lake/lake.ts";
import { type DoorContext, header } from "./door.ts";
import { parseRange } from "./range.ts";

export interface Wanted {
  readonly status: 200 | 206 | 304;
  readonly range: ByteRange | undefined;
  /** Bytes of the answer. */
  readonly length: number;
  /** `etag`, and what belongs to the status. */
  readonly headers: Readonly<Record<string, string>>;
}

/** `etag` with its quotes. Throws `range-invalid`. */
export function wantedOf(c: DoorContext, content: { readonly size: number; readonly etag: string }): Wanted {
  const { size, etag } = content;
  const headers = { "accept-ranges": "bytes", etag };
  if (isKnown(c, etag)) return { status: 304, range: undefined, length: 0, headers };
  const ifRange = header(c, "if-range");
  const range = ifRange === undefined || ifRange === etag ? parseRange(header(c, "range"), size) : undefined;
  const length = range === undefined ? size : range.end - range.start + 1;
  return {
    status: range === undefined ? 200 : 206,
    range,
    length,
    headers: {
      ...headers,
      "content-length": String(length),
      ...(range === undefined ? {} : { "content-range": `bytes ${range.start}-${range.end}/${size}` }),
    },
  };
}

/** Whether the reader says that it has this (RFC 9110, 13.1.2). `etag` with its quotes. */
export function isKnown(c: DoorContext, etag: string): boolean {
  const known = header(c, "if-none-match")?.split(",") ?? [];
  return known.some((one) => ["*", etag, `W/${etag}`].includes(one.trim()));
}
