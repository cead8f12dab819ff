/**
 * The one table of named failures, for both sides. `code` is stable and what programs match on;
 * `retry` tells a sender whether the same request can succeed later without anybody changing it.
 * On the wire a problem is RFC 9457 `application/problem+json`.
 */
interface ProblemKind {
  readonly status: number;
  readonly retry: boolean;
  readonly title: string;
}

export const PROBLEMS = {
  // the request itself
  "request-invalid": { status: 400, retry: false, title: "The request is not what this route expects" },
  "json-invalid": { status: 400, retry: false, title: "The body is not valid JSON" },
  "body-too-large": { status: 413, retry: false, title: "The body is larger than this route takes" },
  "headers-too-large": { status: 431, retry: false, title: "The request headers are too large" },
  "not-found": { status: 404, retry: false, title: "There is nothing at this address" },
  "method-not-allowed": { status: 405, retry: false, title: "This address does not take that method" },
  "content-encoding-refused": { status: 415, retry: false, title: "Content-Encoding is not taken here" },
  "range-invalid": { status: 416, retry: false, title: "The range lies outside the content" },
  "cursor-invalid": { status: 400, retry: false, title: "This is not a cursor of this receiver" },
  "cursor-gone": { status: 410, retry: false, title: "The ledger was rebuilt since this cursor was given" },
  // who is asking
  unauthenticated: { status: 401, retry: false, title: "No valid credentials were presented" },
  "token-expired": { status: 401, retry: true, title: "The token is expired or not yet valid" },
  forbidden: { status: 403, retry: false, title: "These credentials may not do this" },
  "client-not-allowed": { status: 403, retry: false, title: "These credentials do not act for this client" },
  "source-not-allowed": { status: 403, retry: false, title: "These credentials are not for this source" },
  "client-required": {
    status: 400,
    retry: false,
    title: "Tributary-Client must name one of several clients",
  },
  "client-suspended": { status: 403, retry: true, title: "This client is suspended" },
  "agent-revoked": { status: 403, retry: false, title: "This agent was revoked" },
  "agent-forked": { status: 403, retry: true, title: "Two hosts act with this agent's identity" },
  "code-unknown": { status: 403, retry: false, title: "This enrolment code is not one of this receiver's" },
  "code-used": { status: 403, retry: false, title: "This enrolment code was used already" },
  "code-expired": { status: 403, retry: false, title: "This enrolment code has expired" },
  "link-spent": {
    status: 403,
    retry: false,
    title: "This link was used, has expired, or is not one of this receiver's",
  },
  "second-factor-required": { status: 403, retry: false, title: "A second factor has to be set up first" },
  preparing: { status: 503, retry: true, title: "What was asked for is being prepared" },
  "last-admin": { status: 409, retry: false, title: "There must always be an admin who is enabled" },
  "path-newer": {
    status: 409,
    retry: false,
    title: "The path has got a newer state since this file came",
  },
  // what was sent
  "path-invalid": { status: 422, retry: false, title: "This cannot be a path inside a source" },
  "source-invalid": { status: 422, retry: false, title: "This is not a source name" },
  "digest-required": { status: 400, retry: false, title: "A digest is required" },
  "digest-invalid": { status: 400, retry: false, title: "The digest header cannot be read" },
  "digest-mismatch": {
    status: 422,
    retry: false,
    title: "The bytes that arrived do not have the declared digest",
  },
  "length-mismatch": {
    status: 400,
    retry: true,
    title: "The body ended before, or went beyond, its declared length",
  },
  "body-too-slow": { status: 408, retry: true, title: "The body arrived too slowly" },
  quarantined: { status: 422, retry: true, title: "The file is in quarantine" },
  discarded: { status: 422, retry: false, title: "The file was in quarantine, and an operator discarded it" },
  "inspection-unavailable": { status: 503, retry: true, title: "The file cannot be inspected now" },
  "lease-lost": { status: 409, retry: true, title: "Another house agent holds this source's lease" },
  "capture-conflict": { status: 409, retry: false, title: "This captureId was used with other content" },
  // bundles
  "bundle-invalid": { status: 400, retry: false, title: "The tar stream cannot be read on" },
  "bundle-inflated": {
    status: 413,
    retry: false,
    title: "The bundle unpacks to more than is taken of one bundle",
  },
  "entry-refused": { status: 422, retry: false, title: "This kind of tar entry is not taken" },
  // uploads in parts
  "upload-unknown": { status: 404, retry: false, title: "There is no such upload" },
  "upload-closed": { status: 409, retry: false, title: "This upload was completed or aborted" },
  "upload-busy": { status: 409, retry: true, title: "This upload is being completed" },
  "upload-too-many-parts": { status: 422, retry: false, title: "10,000 parts cannot hold this file" },
  "part-invalid": { status: 422, retry: false, title: "There is no part of this number" },
  "part-size": { status: 422, retry: false, title: "The part does not have the size it must have" },
  "part-conflict": { status: 409, retry: false, title: "This part arrived already, with other bytes" },
  "parts-missing": { status: 409, retry: false, title: "Parts of this upload are missing" },
  // room
  "quota-file": { status: 413, retry: false, title: "The file is larger than the largest that may be sent" },
  "quota-day": { status: 429, retry: true, title: "The bytes for today are used up" },
  "quota-stored": { status: 507, retry: true, title: "This client's storage is used up" },
  "disk-reserve": { status: 507, retry: true, title: "The receiver keeps its last disk space in reserve" },
  "limit-requests": { status: 429, retry: true, title: "Too many requests" },
  "limit-concurrent": { status: 429, retry: true, title: "Too many uploads at once" },
  busy: { status: 503, retry: true, title: "The receiver is at its limit" },
  stopping: { status: 503, retry: true, title: "The receiver is stopping" },
  "lake-unavailable": { status: 503, retry: true, title: "The lake did not take the bytes" },
  "ledger-unavailable": { status: 503, retry: true, title: "The ledger did not take the entry" },
  internal: { status: 500, retry: true, title: "The receiver failed; the request id finds it in the log" },
  // on the agent's side only (never on the wire)
  "receiver-unreachable": { status: 0, retry: true, title: "The receiver cannot be reached" },
  "receiver-untrusted": { status: 0, retry: true, title: "The receiver's certificate is not trusted" },
  "receipt-invalid": {
    status: 0,
    retry: true,
    title: "The receipt does not verify, or is not for this parcel",
  },
  "file-unreadable": { status: 0, retry: true, title: "The file cannot be read" },
  "file-restless": { status: 0, retry: true, title: "The file does not hold still" },
  "folder-unreadable": { status: 0, retry: true, title: "The folder cannot be read" },
  "source-unreachable": { status: 0, retry: true, title: "The source cannot be reached" },
  "secret-missing": {
    status: 0,
    retry: true,
    title: "A secret that the configuration names is not there",
  },
  "root-changed": { status: 0, retry: true, title: "The source's root is not the folder it was" },
  "spool-full": { status: 0, retry: true, title: "The spool has reached its bound" },
  "after-failed": {
    status: 0,
    retry: true,
    title: "The file is delivered, but could not be moved or deleted",
  },
  "disk-full": { status: 0, retry: true, title: "The agent's disk is full" },
  "queue-unusable": { status: 0, retry: false, title: "The agent's queue cannot be opened" },
  "ledger-refused": { status: 0, retry: false, title: "The ledger cannot be used for this as it is" },
  "backup-invalid": { status: 0, retry: false, title: "This is not a whole backup" },
  "keys-refused": {
    status: 0,
    retry: false,
    title: "The keys folder does not belong to this ledger's site",
  },
  "config-invalid": { status: 0, retry: false, title: "The configuration file has a mistake" },
  "service-failed": { status: 0, retry: false, title: "The system's service manager refused" },
  usage: { status: 0, retry: false, title: "Wrong usage" },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** What a problem looks like on the wire (RFC 9457). `retryAfter` in seconds. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail?: string;
  readonly requestId?: string;
  readonly retryAfter?: number;
}

/** A failure with a name. Match on `code`; `message` says what happened, to what, and what to do. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  /** Seconds after which a retry is sensible, where known. */
  readonly retryAfter: number | undefined;

  constructor(code: ProblemCode, detail: string, options: { cause?: unknown; retryAfter?: number } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ProblemError";
    this.code = code;
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  get retry(): boolean {
    return PROBLEMS[this.code].retry;
  }
}

export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === "string" && Object.hasOwn(PROBLEMS, code);
}

export function problemBody(problem: ProblemError, requestId?: string): ProblemBody {
  return {
    type: `urn:tributary:problem:${problem.code}`,
    title: PROBLEMS[problem.code].title,
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    ...(requestId === undefined ? {} : { requestId }),
    ...(problem.retryAfter === undefined ? {} : { retryAfter: problem.retryAfter }),
  };
}
