/** What every call about a parcel says of its place: whose it is, and under which lease it is brought. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { Parcel } from "../queue/queue.ts";

export type PlaceHeaders = (place: Pick<Parcel, "client" | "source">) => Readonly<Record<string, string>>;

/** The term under which something of a source may leave; undefined: it is nobody's but this agent's. Throws `lease-lost` while another has it. */
export type TermOf = (client: string, source: string) => number | undefined;

export function placeHeaders(termOf: TermOf): PlaceHeaders {
  return ({ client, source }) => {
    const term = termOf(client, source);
    return {
      [HEADER.client]: client,
      ...(term === undefined ? {} : { [HEADER.lease]: String(term) }),
    };
  };
}

/**
 * Of one carrying, from its beginning to its end: what began under one term never goes on under another, since meanwhile somebody else may
 * have brought what is newer. What it makes throws `lease-lost` then.
 */
export function underOneTerm(
  headersOf: PlaceHeaders,
  place: Pick<Parcel, "client" | "source">,
): PlaceHeaders {
  const begun = headersOf(place);
  return () => {
    if (headersOf(place)[HEADER.lease] === begun[HEADER.lease]) return begun;
    throw new ProblemError("lease-lost", "it may have been another agent's since its sending began");
  };
}
