/**
 * Whether the receiver takes this agent's signature. Asked is for an upload that cannot exist: a request without any
 * effect, so a running agent beside it is not disturbed (a heartbeat would take its nonce).
 */
import { randomUUID } from "node:crypto";
import { ROUTE } from "@tributary/shared/protocol.ts";
import { signToken } from "@tributary/shared/token.ts";
import { Client } from "undici";
import type { Identity } from "../identity/identity.ts";
import { openLine, secureContext, type Way } from "../identity/line.ts";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** What came back; `date` is for the check of the clock. */
export interface Reply {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly date: string | undefined;
}

/** Sends the request over a line of its own. `now`: the receiver's time, where it is known. */
export async function askReceiver(
  identity: Pick<Identity, "agentId" | "site" | "key">,
  way: Way,
  authorities: readonly string[],
  now: number,
): Promise<Reply> {
  const path = `${way.url.pathname.replace(/\/$/, "")}${ROUTE.uploads}/${randomUUID()}`;
  const { agentId, site, key } = identity;
  const token = await signToken({ agentId, site, method: "GET", path, now }, key);
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
    };
  } finally {
    await client.destroy();
  }
}

/** What the reply means. `upload-unknown` is the answer of a receiver that knows this agent. */
export function checkAuthorised(reply: Reply, agentId: string): Finding {
  const check = "authorised";
  if (reply.code === "upload-unknown" || (reply.status >= 200 && reply.status < 300))
    return ok(check, `the receiver knows this agent (${agentId})`);
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
  "client-suspended": "the receiver's operator suspended the client; files wait in the queue",
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
