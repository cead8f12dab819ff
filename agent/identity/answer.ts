/** What came back over the line: an answer, or a named problem. */
import { isProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import { MOST_HEADER_BYTES } from "@tributary/shared/protocol.ts";

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/**
 * The answer, or throws what it says went wrong. An error that is no problem of our table comes from something
 * in between (a proxy's page, a wrong address): it says nothing about the parcel, so it may be tried again.
 */
export function readAnswer(status: number, headers: Headers, text: string, now: number): Answer {
  const json = parse(text);
  if (status >= 200 && status < 300) return { status, headers, json };
  const retryAfter = readRetryAfter(header(headers, "retry-after"), now);
  const body = json as { code?: unknown; detail?: unknown; requestId?: unknown } | undefined;
  if (isProblemCode(body?.code)) {
    const id = typeof body?.requestId === "string" ? ` (request ${body.requestId})` : "";
    throw new ProblemError(body.code, `${typeof body.detail === "string" ? body.detail : body.code}${id}`, {
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  }
  // Of all that waits only this request is too long for whatever stands in between.
  if (status === 414 || status === 431)
    throw new ProblemError(
      "headers-too-large",
      `something between this host and the receiver answered ${status}: the file's path is too long for it; have the proxy or load balancer take request lines and headers of ${MOST_HEADER_BYTES / 1024} KiB`,
      { retryAfter: TOO_LONG_S },
    );
  const what = header(headers, "content-type") ?? "no content type";
  throw new ProblemError(
    status === 503 || status === 429 ? "busy" : "receiver-unreachable",
    `something that is no receiver answered ${status} (${what}); a proxy or a load balancer in between, or a wrong address`,
    { ...(retryAfter === undefined ? {} : { retryAfter }) },
  );
}

/** Somebody has to change a setting first. */
const TOO_LONG_S = 600;
/** Whatever it says, a day later is asked again; and timers take no more than 24 days: beyond they fire at once. */
const LONGEST_RETRY_AFTER = 86_400;

/** RFC 9110, 10.2.3: seconds, or an HTTP date. In seconds from `now`, a day at most; undefined when there is none that can be read. */
export function readRetryAfter(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(field) ? Number(field) : (Date.parse(field) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(LONGEST_RETRY_AFTER, Math.max(0, seconds));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
