/** Who stands at the door, for which client; and the cut when that ends while bytes still flow. */

import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER, slug } from "@tributary/shared/protocol.ts";
import { type Act, clientOf, type Gate, type Principal, require } from "../identity/principal.ts";
import type { StillAllowed } from "../ingest/ingest.ts";
import { credentialsOf } from "./admission.ts";
import { type DoorContext, header } from "./door.ts";

/** Who sends this request, which counts against its limits. Throws what the gate throws, and `limit-requests`. */
export async function identify(gate: Gate, c: DoorContext): Promise<Principal> {
  const principal = await identifyUncounted(gate, c);
  await c.get("admission").count(c, principal);
  return principal;
}

/** For what must get through whatever else its sender does: an agent that is silent counts as lost. */
export async function identifyUncounted(gate: Gate, c: DoorContext): Promise<Principal> {
  const { authorization } = c.env.incoming.headers;
  const principal = await c.get("admission").look(c, credentialsOf(authorization), () =>
    gate.identify({
      method: c.env.incoming.method ?? c.req.method,
      // The request line's own: it is what the sender signed.
      path: c.env.target.path,
      authorization,
    }),
  );
  c.set("principal", principal);
  return principal;
}

/** The client that this request is for, its credentials allowing the act on the source. */
export function clientFor(
  c: DoorContext,
  principal: Principal,
  act: Act,
  source: string | undefined,
): string {
  const client = clientOf(principal, header(c, HEADER.client));
  require(principal, act, source);
  return client;
}

/**
 * Runs the work, and tells it when the principal is revoked meanwhile, or a client that this request is for is
 * suspended: by `cut` at once, and by `stillAllowed`, which throws the reason from then on.
 */
export async function whileAllowed<T>(
  gate: Gate,
  principal: Principal,
  clients: readonly string[],
  cut: (reason: ProblemError) => void,
  work: (stillAllowed: StillAllowed) => Promise<T>,
): Promise<T> {
  let fallen: ProblemError | undefined;
  const unwatch = gate.watch(principal, clients, (reason) => {
    fallen = reason;
    cut(reason);
  });
  try {
    return await work(() => {
      if (fallen !== undefined) throw fallen;
    });
  } finally {
    unwatch();
  }
}

/** Throws `source-invalid`. */
export function requireSource(text: string): string {
  const parsed = slug.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new ProblemError(
    "source-invalid",
    `"${text.slice(0, 100)}" is not a source name; expected ${parsed.error.issues[0]?.message ?? "a slug"}`,
  );
}
