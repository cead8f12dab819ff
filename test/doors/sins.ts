/**
 * What is refused, and under which name: one table for all doors. A door that calls one of them otherwise says so
 * itself (`Door.otherwise`), with the reason.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";

export const SINS = {
  "a name that is no path inside a source": "path-invalid",
  "a captureId of other content": "capture-conflict",
  "a wrong digest": "digest-mismatch",
  "fewer bytes than declared": "length-mismatch",
  "more bytes than declared": "length-mismatch",
  "a file over the client's largest": "quota-file",
  "bytes over the client's day": "quota-day",
  "bytes over the client's storage": "quota-stored",
  "a suspended client": "client-suspended",
  "another client": "client-not-allowed",
  "a source that the key is not for": "source-not-allowed",
  "a key that may only read": "forbidden",
  "a revoked key": "unauthenticated",
  "a revoked agent": "agent-revoked",
  "a revoked account": "unauthenticated",
} as const satisfies Record<string, ProblemCode>;
export type Sin = keyof typeof SINS;
