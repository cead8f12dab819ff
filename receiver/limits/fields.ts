/** How limits stand on an answer: draft-ietf-httpapi-ratelimit-headers-11, fields that are lists of strings with parameters (RFC 9651). */
import type { Frequency } from "@tributary/shared/units.ts";
import { type Limited, secondsOf } from "./requests.ts";
import type { Subject } from "./subject.ts";

/**
 * `RateLimit-Policy: "client";q=600;w=60` and `RateLimit: "client";r=421;t=37`, an item for each limit; none when there
 * is none, and of the standings only those up to the one that refused. The policy is named by whose limit it is, which is all that a sender needs to know of it.
 */
export function limitFields(
  subjects: readonly Subject<Frequency>[],
  limits: readonly Limited[],
): Readonly<Record<string, string>> {
  if (limits.length === 0) return {};
  const policies = subjects.map(({ kind, most }) => `"${kind}";q=${most.count};w=${most.perMs / 1000}`);
  const standings = limits.map(
    ({ subject, standing }) => `"${subject.kind}";r=${standing.left};t=${secondsOf(standing)}`,
  );
  return { "RateLimit-Policy": policies.join(", "), RateLimit: standings.join(", ") };
}
