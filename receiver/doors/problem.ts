/** Failures on their way out: RFC 9457, with a stable code and the request's id. Nothing of the inside is told. */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type ProblemCode, ProblemError, problemBody } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";
import type { DoorEnv } from "./door.ts";

/** Who hears of failures: the log. `expected` is false for faults of ours. */
export type ReportProblem = (failure: {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly problem: ProblemError;
  readonly error: unknown;
  /** Undefined: nobody knows who it was. */
  readonly refused?: RefusedBearer | undefined;
}) => void;

/** Who was refused. `client` is empty where the request was for none, or for one of which the bearer is no part. */
export interface RefusedBearer {
  readonly client: string;
  readonly bearer: string;
  readonly bearerKind: Principal["kind"];
}

/** Who stands behind a request that is refused; only what the gate has found counts, never what the sender says. */
export function refusedBearer(c: Pick<Asked, "env" | "var">): RefusedBearer | undefined {
  const { principal } = c.var;
  if (principal === undefined) return undefined;
  const { kind, id, clients, suspended = [] } = principal;
  const all = [...clients, ...suspended];
  const asked = c.env.incoming.headers[HEADER.client]?.toString();
  const named = asked ?? (all.length === 1 ? all[0] : undefined);
  const client = named !== undefined && all.includes(named) ? named : "";
  return { client, bearer: id, bearerKind: kind };
}

/** Any failure as a problem; what has no name becomes `internal`. */
function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError && error.status >= 400) return error;
  return new ProblemError("internal", "the receiver failed; its log has more under this request id", {
    cause: error,
    retryAfter: 5,
  });
}

/** Any failure as the sender may read it. */
export function outward(error: unknown): ProblemError {
  return withoutInside(asProblem(error));
}

const INSIDE: readonly ProblemCode[] = ["lake-unavailable", "ledger-unavailable", "inspection-unavailable"];

/** Lake, ledger and inspector say in words for operators (paths, addresses, settings) what is wrong with them: that is for the log. */
function withoutInside(problem: ProblemError): ProblemError {
  if (!INSIDE.includes(problem.code)) return problem;
  return new ProblemError(
    problem.code,
    "send the same again, under the same Idempotency-Key; the receiver's log has more under this request id",
    { retryAfter: problem.retryAfter ?? 5 },
  );
}

/** Status, headers and body of a problem, for Hono and for answers below it. */
export function problemAnswer(
  problem: ProblemError,
  requestId: string,
): { readonly status: number; readonly headers: Record<string, string>; readonly body: string } {
  return {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      [HEADER.requestId]: requestId,
      ...(problem.retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(problem.retryAfter)) }),
      ...(problem.status === 401 ? { "www-authenticate": "Bearer" } : {}),
    },
    body: JSON.stringify(problemBody(problem, requestId)),
  };
}

/** What an answer needs to know of a request, of any listener. */
interface Asked {
  readonly req: { readonly method: string };
  readonly env: Pick<DoorEnv["Bindings"], "target" | "incoming" | "outgoing">;
  readonly var: { readonly requestId: string; readonly principal?: Principal };
}

/** For `app.onError`. */
export function answerProblem(report: ReportProblem) {
  return (error: unknown, c: Asked): Response => {
    const problem = asProblem(error);
    const { requestId } = c.var;
    const { path } = c.env.target;
    report({ requestId, method: c.req.method, path, problem, error, refused: refusedBearer(c) });
    // A stream that fails midway has no place for a problem any more: its end is what the reader sees.
    if (c.env.outgoing.headersSent) return RESPONSE_ALREADY_SENT;
    const { status, headers, body } = problemAnswer(withoutInside(problem), requestId);
    return new Response(body, { status, headers });
  };
}
