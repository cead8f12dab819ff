/** Who stands at a door, once identified: which clients and sources, and which acts. Doors and ingest know nothing else of identity. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { BearerLimits, Limits } from "../ledger/limits.ts";

export type Act = "write" | "read" | "remove";

export interface Principal {
  readonly kind: "agent" | "key" | "account";
  /** The agent's UUID, or the id of the API key or SFTP account. Goes into entries and receipts. */
  readonly id: string;
  /** The name that an SFTP account logs in with. */
  readonly user?: string;
  readonly clients: readonly string[];
  /** The only source it may touch, when bound to one. */
  readonly source: string | undefined;
  readonly acts: ReadonlySet<Act>;
  /** Clients it acts for in principle, but that are suspended now: never silently replaced by another. */
  readonly suspended?: readonly string[];
  /** An agent's public key (x of its JWK): after a move to a new host the same id stands for another key. */
  readonly publicKey?: string;
  /** What an SFTP account has logged in with, as `proofs` of its standing: what is open ends when it counts no more. */
  readonly proof?: string;
  /** Limits of its own, narrower than its clients'; undefined: none. */
  readonly limits?: BearerLimits;
  /** Of its clients; one that is not here has none of its own. */
  readonly clientLimits?: ReadonlyMap<string, Limits>;
}

/** Which client this request is for: the header, or the only one. Throws `client-required`, `client-not-allowed` or `client-suspended`. */
export function clientOf(principal: Principal, header: string | undefined): string {
  const suspended = principal.suspended ?? [];
  if (header === undefined) {
    if (principal.clients.length === 1 && suspended.length === 0) return principal.clients[0] as string;
    throw new ProblemError(
      "client-required",
      `name one of your clients in the Tributary-Client header: ${principal.clients.join(", ")}`,
    );
  }
  if (suspended.includes(header)) throw clientSuspended(header);
  if (!principal.clients.includes(header)) {
    throw new ProblemError(
      "client-not-allowed",
      `these credentials do not act for the client "${header.slice(0, 100)}"`,
    );
  }
  return header;
}

/** One wording for the gate and the doors. A sender may try again: the client can be resumed. */
export function clientSuspended(client: string): ProblemError {
  return new ProblemError("client-suspended", `the client "${client}" is suspended; nothing was taken`, {
    retryAfter: 15,
  });
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
   * Calls `revoked` once, within 5 s, when this principal is revoked, its agent forked, or one of `clients` (those
   * that its request is for) suspended or taken from it; the answer stops watching. Open uploads and event streams are cut by it.
   * `seen` hears every second how it stands: who stays for long has the limits that were set meanwhile.
   */
  watch(
    principal: Principal,
    clients: readonly string[],
    revoked: (reason: ProblemError) => void,
    seen?: (principal: Principal) => void,
  ): () => void;
}
