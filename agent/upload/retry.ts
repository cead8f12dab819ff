/** When to try again, and what a problem means for the rest of the queue. Pure: chance is a parameter. */
import { PROBLEMS, type ProblemCode, type ProblemError } from "@tributary/shared/problems.ts";

const BASE_MS = 500;
const CAP_MS = 60_000;

/**
 * Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): anything between 0 and the exponential
 * bound, so that a thousand agents do not come back as one. A Retry-After (seconds) is a floor, never shortened;
 * chance comes on top of it, a tenth at most.
 */
export function backoffMs(attempt: number, retryAfter: number | undefined, random: () => number): number {
  const bound = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 20));
  if (retryAfter === undefined) return Math.ceil(random() * bound);
  const floor = Math.max(0, retryAfter * 1000);
  return Math.ceil(floor + random() * Math.min(bound, Math.max(1000, floor / 10)));
}

/** Seconds that a problem lasts at least, whatever its answer says. */
const LASTS_S: Partial<Record<ProblemCode, number>> = {
  // Until somebody agrees on another quota: each try may send the whole file.
  "quota-file": 3600,
  // Until an operator has looked at it.
  quarantined: 3600,
};

/** The floor under the next try, in seconds; undefined where there is none. */
export function floorOf({ code, retryAfter }: Pick<ProblemError, "code" | "retryAfter">): number | undefined {
  const lasts = LASTS_S[code];
  return lasts === undefined ? retryAfter : Math.max(lasts, retryAfter ?? 0);
}

/**
 * How far a problem reaches. receiver: nothing gets through now; the whole dispatcher asks, once at a time, until the
 * receiver is back. agent: this agent may not act; everything stops, the queue is kept. client, source: what else waits
 * of it would fail for the same reason. path: this parcel waits, and its path with it. parcel: it alone waits, set aside
 * for a while, and its path goes on. aside: it will never be taken as it is.
 */
export type Reach = "receiver" | "agent" | "client" | "source" | "path" | "parcel" | "aside";

const RECEIVER: readonly ProblemCode[] = [
  "receiver-unreachable",
  "receiver-untrusted",
  "stopping",
  "lake-unavailable",
  "ledger-unavailable",
  "inspection-unavailable",
  "internal",
  // Whoever is at its limit is not helped by the next of ten thousand.
  "busy",
  "disk-reserve",
  // The way there as this host has it, a proxy that is none: nothing a parcel could be blamed for.
  "config-invalid",
];
const AGENT: readonly ProblemCode[] = ["agent-forked", "agent-revoked", "unauthenticated"];
const CLIENT: readonly ProblemCode[] = [
  "client-suspended",
  "client-not-allowed",
  "client-required",
  "quota-day",
  "quota-stored",
  "limit-requests",
  "limit-concurrent",
];
/** The receiver counted, and says to the second when it takes more: to ask before that would cost it a request more. */
export const KNOWN_UNTIL: readonly ProblemCode[] = ["limit-requests", "limit-concurrent"];
const SOURCE: readonly ProblemCode[] = [
  "source-not-allowed",
  "source-unreachable",
  "root-changed",
  "lease-lost",
];
/** Permanent for the request, but an administrator of the receiver mends them: the bytes are fine and must not be lost. */
const MENDED_ELSEWHERE: readonly ProblemCode[] = [
  "forbidden",
  "quota-file",
  "not-found",
  "method-not-allowed",
  "upload-unknown",
  "upload-closed",
  "digest-mismatch",
  "part-conflict",
  "parts-missing",
  // Whoever stands in between has smaller bounds than the receiver.
  "headers-too-large",
  "body-too-large",
];

export function reachOf(code: ProblemCode): Reach {
  if (AGENT.includes(code)) return "agent";
  if (RECEIVER.includes(code)) return "receiver";
  if (CLIENT.includes(code)) return "client";
  if (SOURCE.includes(code)) return "source";
  // The receiver has its bytes, and it may be good news that comes behind it.
  if (code === "quarantined") return "parcel";
  return PROBLEMS[code].retry || MENDED_ELSEWHERE.includes(code) ? "path" : "aside";
}
