/** What a door answers, made from what the commit made of a capture. */
import { displayPath, percentDecode } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";
import { lostLease } from "../ledger/leases.ts";
import type { Bearer, Capture, Ledger, Outcome } from "../ledger/ledger.ts";
import type { Fact } from "./facts.ts";

/** Until somebody has looked at it. */
const HELD_SECONDS = 3600;

/** Throws the outcome's problem when it was refused, is in quarantine or was discarded, and `internal` for `needs-bytes`, which the caller handles before. */
export function answerOf(outcome: Outcome): DeliveryAnswer {
  switch (outcome.kind) {
    case "committed": {
      const { entry, receipt } = outcome;
      return {
        status: entry.kind === "removal" ? "removed" : "created",
        versionId: entry.versionId,
        client: entry.client,
        source: entry.source,
        path: entry.path,
        pathEncoded: entry.pathEncoded,
        size: entry.size,
        sha256: entry.sha256,
        captureId: entry.captureId,
        receivedAt: entry.receivedAt,
        receipt,
      };
    }
    case "unchanged":
    case "repeated": {
      const { claims, receipt } = outcome;
      return {
        status: claims.status,
        versionId: claims.versionId,
        client: claims.client,
        source: claims.source,
        path: displayPath(percentDecode(claims.pathEncoded)),
        pathEncoded: claims.pathEncoded,
        size: claims.size,
        sha256: claims.sha256,
        captureId: claims.captureId,
        receivedAt: claims.receivedAt,
        receipt,
      };
    }
    case "refused":
      throw new ProblemError(
        outcome.code,
        outcome.detail,
        outcome.retryAfter === undefined ? {} : { retryAfter: outcome.retryAfter },
      );
    case "held":
      throw new ProblemError(
        "quarantined",
        `${outcome.finding}: the file is kept in quarantine (${outcome.id}) and not published; its receipt is for whoever asks again once an operator has released it`,
        { retryAfter: HELD_SECONDS },
      );
    case "discarded":
      throw new ProblemError(
        "discarded",
        `${outcome.finding}: the file was kept in quarantine (${outcome.id}), and an operator has discarded it: ${outcome.reason}; it is not taken again under this captureId`,
      );
    case "needs-bytes":
      throw new ProblemError("internal", "the bytes were put, and the ledger asks for them again");
  }
}

/** Told when a capture has just been put into quarantine. */
export function quarantinedFact(
  { id, finding }: Extract<Outcome, { kind: "held" }>,
  { client, source, pathEncoded }: Pick<Capture, "client" | "source" | "pathEncoded">,
): Fact {
  return { kind: "Quarantined", id, client, source, pathEncoded, finding };
}

/**
 * What the ledger may tell this principal of others' content: nothing, unless it may read, as the holder of a source's
 * lease may. Whether it holds that is asked before anything is told.
 */
export function bearerOf(principal: Principal, lease: number | undefined): Bearer {
  const reads = principal.kind === "agent" ? lease !== undefined : principal.acts.has("read");
  return { id: principal.id, seesAll: reads };
}

/**
 * Before bytes are taken for nothing: the commit asks again, and it alone decides. What is known already is answered
 * without it. Throws `lease-lost`.
 */
export async function requireLease(
  ledger: Pick<Ledger, "holds">,
  place: { readonly client: string; readonly source: string },
  principal: Principal,
  term: number | undefined,
): Promise<void> {
  if (term === undefined) return;
  const { client, source } = place;
  if (await ledger.holds({ client, source, agentId: principal.id, term })) return;
  throw new ProblemError("lease-lost", lostLease(place));
}

/** Anything but a named problem that the lake throws is the lake's failure; nothing was recorded then. */
export function lakeProblem(cause: unknown): ProblemError {
  if (cause instanceof ProblemError) return cause;
  return new ProblemError("lake-unavailable", "the lake did not take the bytes; nothing was recorded", {
    cause,
    retryAfter: 5,
  });
}

/** For `catch`: as `lakeProblem`, thrown. */
export async function rejectLake(cause: unknown): Promise<never> {
  throw lakeProblem(cause);
}
