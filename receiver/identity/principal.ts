/** Who stands at a door, once identified: which clients and sources, and which acts. Doors and ingest know nothing else of identity. */
import { ProblemError } from "@tributary/shared/problems.ts";

export type Act = "write" | "read" | "remove";

export interface Principal {
  readonly kind: "agent" | "key";
  /** The agent's UUID, or the API key's id. Goes into entries and receipts. */
  readonly id: string;
  readonly clients: readonly string[];
  /** The only source it may touch, when bound to one. */
  readonly source: string | undefined;
  readonly acts: ReadonlySet<Act>;
}

/** Which client this request is for: the header, or the only one. Throws `client-required` or `client-not-allowed`. */
export function clientOf(principal: Principal, header: string | undefined): string {
  if (header === undefined) {
    if (principal.clients.length === 1) return principal.clients[0] as string;
    throw new ProblemError(
      "client-required",
      `name one of your clients in the Tributary-Client header: ${principal.clients.join(", ")}`,
    );
  }
  if (!principal.clients.includes(header)) {
    throw new ProblemError(
      "client-not-allowed",
      `these credentials do not act for the client "${header.slice(0, 100)}"`,
    );
  }
  return header;
}

/** Throws `forbidden` or `source-not-allowed`. */
export function require(principal: Principal, act: Act, source: string | undefined): void {
  if (!principal.acts.has(act)) {
    throw new ProblemError(
      "forbidden",
      `these credentials may ${[...principal.acts].join(" and ")}, not ${act}`,
    );
  }
  if (principal.source !== undefined && source !== undefined && source !== principal.source) {
    throw new ProblemError(
      "source-not-allowed",
      `these credentials are for the source "${principal.source}" only`,
    );
  }
}

/** What doors need of identity. */
export interface Gate {
  /** Who sends this request. Throws `unauthenticated`, `token-expired`, `agent-revoked`, `agent-forked`, … */
  identify(request: {
    readonly method: string;
    readonly path: string;
    readonly authorization: string | undefined;
  }): Promise<Principal>;
  /**
   * Calls `revoked` once, within 5 s, when this principal is revoked (or its client suspended, or its agent forked);
   * the answer stops watching. Open uploads and event streams are cut by it.
   */
  watch(principal: Principal, revoked: (reason: ProblemError) => void): () => void;
}
