/** What a reader of bytes asked for: all of it, a range, or nothing that it has already (RFC 9110, 13 and 14). */
import { ProblemError } from "@tributary/shared/problems.ts";
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
  const range = rangeOf(c, content);
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

/** Undefined: the whole. RFC 9110, 14.2: only with GET; 13.1.5: only of what the reader has the rest of. */
function rangeOf(c: DoorContext, { size, etag }: { readonly size: number; readonly etag: string }) {
  const ifRange = header(c, "if-range");
  if (c.env.incoming.method !== "GET" || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const field = header(c, "range");
  const range = parseRange(field, size);
  if (range !== "outside") return range === "whole" ? undefined : range;
  // RFC 9110, 15.5.17: how long it is, so that a reader that goes on knows that it is done.
  c.env.outgoing.setHeader("content-range", `bytes */${size}`);
  throw new ProblemError(
    "range-invalid",
    `the content has ${size} bytes; "${field?.slice(0, 100)}" lies outside`,
  );
}

/** Whether the reader says that it has this (RFC 9110, 13.1.2). `etag` with its quotes. */
export function isKnown(c: DoorContext, etag: string): boolean {
  const known = header(c, "if-none-match")?.split(",") ?? [];
  return known.some((one) => ["*", etag, `W/${etag}`].includes(one.trim()));
}
