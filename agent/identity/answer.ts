/** What came back over the line: an answer, or a named problem. */
import { isProblemCode, type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
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
  const problem = problemOf(json, retryAfter);
  if (problem !== undefined) throw problem;
  const what = header(headers, "content-type") ?? "no content type";
  const bound = BOUNDS[status];
  if (bound !== undefined)
    throw new ProblemError(
      bound.code,
      `a proxy or a load balancer in between answered ${status} (${what}): ${bound.words}`,
      { retryAfter: retryAfter ?? BOUND_S },
    );
  throw new ProblemError(
    status === 503 || status === 429 ? "busy" : "receiver-unreachable",
    `something that is no receiver answered ${status} (${what}); a proxy or a load balancer in between, or a wrong address`,
    { ...(retryAfter === undefined ? {} : { retryAfter }) },
  );
}

/** A problem as the wire has it (RFC 9457); undefined when it is none of our table. `retryAfter` in seconds. */
export function problemOf(json: unknown, retryAfter?: number): ProblemError | undefined {
  const body = json as
    | { code?: unknown; detail?: unknown; requestId?: unknown; retryAfter?: unknown }
    | undefined;
  if (!isProblemCode(body?.code)) return undefined;
  const id = typeof body?.requestId === "string" ? ` (request ${body.requestId})` : "";
  const after = retryAfter ?? (typeof body?.retryAfter === "number" ? body.retryAfter : undefined);
  return new ProblemError(
    body.code,
    `${typeof body.detail === "string" ? body.detail : body.code}${id}`,
    after === undefined ? {} : { retryAfter: Math.min(LONGEST_RETRY_AFTER, after) },
  );
}

const HEADERS = `let it pass ${MOST_HEADER_BYTES / 1024} KiB (nginx: large_client_header_buffers)`;
/** What stands in between and lets one request through and another not: no sign that the receiver is away. */
const BOUNDS: Readonly<Record<number, { readonly code: ProblemCode; readonly words: string }>> = {
  413: {
    code: "body-too-large",
    words: "it takes no body of this size; let it pass 100 MB (nginx: client_max_body_size)",
  },
  414: {
    code: "headers-too-large",
    words: `it takes no address of this length; ${HEADERS}`,
  },
  431: {
    code: "headers-too-large",
    words: `it takes no headers of this length; ${HEADERS}`,
  },
};
/** Seconds: somebody has to change its settings first. */
const BOUND_S = 600;

/** Whatever it says, a day later is asked again; and timers take no more than 24 days: beyond they fire at once. */
const LONGEST_RETRY_AFTER = 86_400;

/** RFC 9110, 10.2.3: seconds, or an HTTP date. In seconds from `now`, a day at most; undefined when there is none that can be read. */
export function readRetryAfter(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(field) ? Number(field) : (Date.parse(field) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(LONGEST_RETRY_AFTER, Math.max(0, seconds));
}

/** Undefined where it is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
