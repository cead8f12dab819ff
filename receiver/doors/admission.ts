/**
 * Who may ask now: limits of those who are known, patience with those who are not. The one seam between doors and
 * limits; a door that identifies its sender, and one that takes bytes through `UploadPlaces`, has both.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import { tokenIssuer } from "@tributary/shared/token.ts";
import { formatDuration } from "@tributary/shared/units.ts";
import type { Principal } from "../identity/principal.ts";
import type { Limits } from "../ledger/limits.ts";
import { limitFields } from "../limits/fields.ts";
import type { Guesses } from "../limits/guesses.ts";
import { type RequestLimits, refusalOf } from "../limits/requests.ts";
import { type Subject, subjectsOf } from "../limits/subject.ts";
import { type Admission, type DoorContext, header } from "./door.ts";
import { peerOf } from "./peer.ts";

/** Who hears that somebody was refused: the metrics. */
export type ReportLimited = (
  what: "requests" | "uploads" | "guesses",
  of: Subject<unknown>["kind"] | "address",
) => void;

export interface AdmissionParts {
  readonly requests: RequestLimits;
  readonly guesses: Guesses;
  /** For clients that have no limits of their own. */
  readonly defaults: Limits;
  readonly trustProxy: readonly string[];
  readonly report: ReportLimited;
}

export class LimitedAdmission implements Admission {
  readonly #parts: AdmissionParts;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  async count(c: DoorContext, principal: Principal): Promise<void> {
    const { requests, defaults, report } = this.#parts;
    const subjects = subjectsOf("requests", principal, clientAsked(c, principal), defaults);
    if (subjects.length === 0) return;
    const limits = await requests.take(subjects);
    // On Node's own answer: some are written to it directly, and problems too shall carry them.
    for (const [name, value] of Object.entries(limitFields(subjects, limits)))
      c.env.outgoing.setHeader(name, value);
    const refusal = refusalOf(limits);
    if (refusal === undefined) return;
    report("requests", limits.at(-1)?.subject.kind ?? "client");
    throw refusal;
  }

  async look<T>(c: DoorContext, credentials: string | undefined, look: () => Promise<T>): Promise<T> {
    // No credentials are no guess, and cost nothing to refuse.
    if (credentials === undefined) return await look();
    const { guesses, trustProxy, report } = this.#parts;
    const address = peerOf(c.env.incoming, trustProxy);
    const waitMs = guesses.waitMs(address, credentials);
    if (waitMs > 0) {
      report("guesses", "address");
      throw new ProblemError(
        "limit-requests",
        `too many wrong credentials came from ${address}; the next ones are looked at in ${formatDuration(waitMs)}`,
        { retryAfter: Math.ceil(waitMs / 1000) },
      );
    }
    try {
      const found = await look();
      guesses.wasRight(credentials);
      return found;
    } catch (error) {
      if (error instanceof ProblemError && WRONG.includes(error.code)) guesses.wasWrong(address, credentials);
      throw error;
    }
  }
}

const WRONG: readonly ProblemError["code"][] = ["unauthenticated", "code-unknown"];

/** An agent's tokens are made anew for each request: they stand for the agent that signed them. */
export function credentialsOf(authorization: string | undefined): string | undefined {
  const [, credentials] = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "") ?? [];
  if (credentials === undefined || credentials.startsWith("trbk_")) return credentials;
  return tokenIssuer(credentials) ?? credentials;
}

/** Whose limit a request counts for; what the door says of a wrong or missing name comes later. */
function clientAsked(c: DoorContext, { clients }: Principal): string | undefined {
  const named = header(c, HEADER.client);
  if (named === undefined) return clients.length === 1 ? clients[0] : undefined;
  return clients.includes(named) ? named : undefined;
}
