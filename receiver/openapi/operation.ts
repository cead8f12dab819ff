/**
 * One call of the wire as data: what it takes, what it answers, how it fails. The document, the page and the check
 * of real answers are all made from these; the schemas themselves stand in `shared/protocol.ts`.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { z } from "zod";

/** Who may call: `key` names the scope that an API key needs, undefined when any does. */
export type Access =
  | { readonly kind: "everybody" }
  | { readonly kind: "credentials"; readonly scope: "write" | "read" | "remove" | undefined }
  | { readonly kind: "agent" };

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: z.ZodType;
  readonly description: string;
  readonly example?: string;
}

/** A body, either way. `lines` is one JSON object a line, `events` server-sent events whose data is the schema. */
export type Content =
  | { readonly kind: "json"; readonly type: string; readonly schema: z.ZodType }
  | { readonly kind: "lines" | "events"; readonly type: string; readonly schema: z.ZodType }
  | { readonly kind: "text"; readonly type: string }
  | { readonly kind: "bytes"; readonly type: string };

export interface Answer {
  readonly status: number;
  readonly description: string;
  /** Empty: the answer has no body. */
  readonly content: readonly Content[];
  /** Besides those that every answer has; all of them are always there. */
  readonly headers?: readonly string[];
  /** There on some of these answers. */
  readonly optionalHeaders?: readonly string[];
}

export interface Operation {
  readonly id: string;
  readonly group: "Sending" | "Large files in parts" | "Reading" | "Agents" | "For everybody";
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** `{name}` stands for a parameter. */
  readonly path: string;
  /** The application's own patterns, where they are not the path with `:name` for `{name}`. */
  readonly routes?: readonly string[];
  readonly summary: string;
  /** Paragraphs of plain sentences, with `code` between backticks. */
  readonly description: readonly string[];
  readonly access: Access;
  readonly parameters: readonly Parameter[];
  readonly body?: { readonly description: string; readonly content: readonly Content[] };
  readonly answers: readonly Answer[];
  /** Besides those of every call, and of every call with credentials. */
  readonly problems: readonly ProblemCode[];
}

const EVERY: readonly ProblemCode[] = ["request-invalid", "headers-too-large", "body-too-slow", "internal"];
const UNDER_V1: readonly ProblemCode[] = ["limit-requests", "stopping"];
const WITH_CREDENTIALS: readonly ProblemCode[] = [
  "unauthenticated",
  "token-expired",
  "agent-revoked",
  "agent-forked",
  "client-suspended",
  "ledger-unavailable",
];

/** All codes that this call can answer with. */
export function problemsOf(operation: Operation): ReadonlySet<ProblemCode> {
  return new Set([
    ...EVERY,
    ...(operation.path.startsWith("/v1/") ? UNDER_V1 : []),
    ...(operation.access.kind === "everybody" ? [] : WITH_CREDENTIALS),
    ...operation.problems,
  ]);
}

/** As the application's router writes them: method, blank, pattern. */
export function routesOf({ method, path, routes }: Operation): readonly string[] {
  return (routes ?? [path.replaceAll(/\{(\w+)\}/g, ":$1")]).map((pattern) => `${method} ${pattern}`);
}
