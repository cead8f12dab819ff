/**
 * Whether the receiver takes this agent's signature. Asked is for whom it acts: a request without any effect, so a
 * running agent beside it is not disturbed (a heartbeat would take its nonce), and the receiver has nothing to log.
 */
import { ROUTE } from "@tributary/shared/protocol.ts";
import { signToken } from "@tributary/shared/token.ts";
import { Client } from "undici";
import { z } from "zod";
import type { Identity } from "../identity/identity.ts";
import { openLine, secureContext, type Way } from "../identity/line.ts";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** What came back; `date` is for the check of the clock. */
export interface Reply {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly date: string | undefined;
  /** For whom this agent acts; undefined: the answer does not say, so it is not a receiver's. */
  readonly clients: readonly { readonly name: string; readonly suspended: boolean }[] | undefined;
}

const clientsAnswer = z.object({ clients: z.array(z.object({ name: z.string(), suspended: z.boolean() })) });

/** Sends the request over a line of its own. `now`: the receiver's time, where it is known. */
export async function askReceiver(
  identity: Pick<Identity, "agentId" | "site" | "key">,
  way: Way,
  authorities: readonly string[],
  now: number,
): Promise<Reply> {
  const path = `${way.url.pathname.replace(/\/$/, "")}${ROUTE.clients}`;
  const { agentId, site, key } = identity;
  const token = signToken({ agentId, site, method: "GET", path, now }, key);
  const socket = await openLine(way, secureContext(authorities));
  const client = new Client(way.url.origin, {
    connect: (_options, done) => setImmediate(done, null, socket),
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  try {
    const response = await client.request({
      method: "GET",
      path,
      headers: { authorization: `Bearer ${token}` },
    });
    const body = parse(await response.body.text());
    const date = response.headers.date;
    return {
      status: response.statusCode,
      code: typeof body?.code === "string" ? body.code : undefined,
      detail: typeof body?.detail === "string" ? body.detail : undefined,
      date: typeof date === "string" ? date : undefined,
      clients: clientsAnswer.safeParse(body).data?.clients,
    };
  } finally {
    await client.destroy();
  }
}

/** What the reply means. */
export function checkAuthorised(reply: Reply, agentId: string): Finding {
  const check = "authorised";
  if (reply.status >= 200 && reply.status < 300 && reply.clients !== undefined) {
    const suspended = reply.clients.filter((client) => client.suspended).map(({ name }) => name);
    if (suspended.length === 0) return ok(check, `the receiver knows this agent (${agentId})`);
    return fail(
      check,
      `the receiver knows this agent (${agentId}) and takes nothing for ${suspended.join(", ")} now`,
      "the receiver's operator suspended the client; files wait in the queue",
    );
  }
  const says = `the receiver answered ${reply.status} ${reply.code ?? ""}: ${reply.detail ?? "no reason given"}`;
  return fail(check, says, ADVICE[reply.code ?? ""] ?? "show this to the receiver's operator");
}

/** As `checkAuthorised`, when there was no answer at all. */
export function notAsked(error: unknown): Finding {
  return fail("authorised", reasonOf(error), "repair what the checks above name, then run doctor again");
}

const ADVICE: Readonly<Record<string, string>> = {
  "agent-revoked": "ask the receiver's operator for a new code, then: tributary-agent enroll CODE",
  "agent-forked":
    "two hosts act with this identity: stop the copy, then have this one invited anew with --replaces",
  "token-expired": "set this host's clock",
  unauthenticated: "ask the receiver's operator for a new code, then: tributary-agent enroll CODE",
};

function parse(text: string): { code?: unknown; detail?: unknown } | undefined {
  try {
    return JSON.parse(text) as { code?: unknown; detail?: unknown };
  } catch {
    return undefined;
  }
}
