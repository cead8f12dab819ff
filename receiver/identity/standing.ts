/** What follows from how agents, API keys and SFTP accounts stand: at a request, and while something is open. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { clientSuspended, type Principal } from "./principal.ts";
import { proofsOf, type Standing } from "./standing-rows.ts";

/** Who this is, once proved. Throws `agent-revoked`, `agent-forked`, `client-suspended`, `unauthenticated`. */
export function principalOf(id: string, standing: Standing): Principal {
  refuseFallen(standing);
  const clients = standing.clients.filter((client) => !client.suspended).map((client) => client.name);
  const suspended = standing.clients.filter((client) => client.suspended).map((client) => client.name);
  if (clients.length === 0) throw clientSuspended(suspended.join(", "));
  const limited = standing.clients.filter(
    ({ limits }) => limits.requests !== null || limits.uploads !== null,
  );
  const common = {
    id,
    ...(standing.kind === "account" ? { user: standing.user } : {}),
    clients,
    ...(suspended.length > 0 ? { suspended } : {}),
    ...(standing.limits === undefined ? {} : { limits: standing.limits }),
    ...(limited.length === 0 ? {} : { clientLimits: new Map(limited.map((one) => [one.name, one.limits])) }),
  };
  if (standing.kind !== "agent")
    return { ...common, kind: standing.kind, source: standing.source, acts: standing.acts };
  return {
    ...common,
    kind: "agent",
    source: undefined,
    // It reads only its own uploads, and those need no `read`.
    acts: new Set(["write", "remove"] as const),
    publicKey: standing.publicKey,
  };
}

/** Why this principal may not go on with what it does for these clients, or undefined while it may. */
export function fallen(
  principal: Principal,
  clients: readonly string[],
  standing: Standing | undefined,
): ProblemError | undefined {
  if (!standing) return new ProblemError("unauthenticated", "these credentials are no longer known");
  if (
    standing.kind === "agent" &&
    principal.publicKey !== undefined &&
    standing.publicKey !== principal.publicKey
  )
    return new ProblemError("unauthenticated", "this agent has moved to another host and has a new key");
  if (
    standing.kind === "account" &&
    principal.proof !== undefined &&
    !proofsOf(standing).includes(principal.proof)
  )
    return new ProblemError(
      "unauthenticated",
      "the key or password that this SFTP account logged in with was taken from it",
    );
  try {
    refuseFallen(standing);
  } catch (problem) {
    return problem as ProblemError;
  }
  for (const name of clients) {
    const client = standing.clients.find((one) => one.name === name);
    if (!client)
      return new ProblemError(
        "client-not-allowed",
        `these credentials no longer act for the client "${name}"`,
      );
    if (client.suspended) return clientSuspended(name);
  }
  return undefined;
}

function refuseFallen(standing: Standing): void {
  if (standing.kind !== "agent") {
    const called = standing.kind === "key" ? "API key" : "SFTP account";
    if (standing.revoked) throw new ProblemError("unauthenticated", `this ${called} was revoked`);
    return;
  }
  if (standing.state === "revoked")
    throw new ProblemError("agent-revoked", "this agent was revoked; it needs a new code to come back");
  if (standing.state === "forked")
    throw new ProblemError(
      "agent-forked",
      "two hosts act with this agent's identity, so both are stopped and keep their queues. " +
        "Give the right one a new code: tributary-receiver agent invite --replaces ID",
      { retryAfter: 60 },
    );
}
