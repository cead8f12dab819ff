/**
 * The console's listener: pages for people of the central team, and the calls that these pages make. Every call is a line
 * of `calls.ts`; who may make it, and what goes in, is decided here before its handler is asked.
 */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import { type Context, Hono } from "hono";
import type { Pace } from "../doors/body.ts";
import type { DoorEnv } from "../doors/door.ts";
import { answerProblem, type ReportProblem } from "../doors/problem.ts";
import { STRICT_TRANSPORT, strictTransport } from "../doors/strict-transport.ts";
import type { People, PersonSession } from "../people/auth.ts";
import type { Answers } from "./answers.ts";
import { CALLS, type Call, type CallName, mayDo, type Role } from "./calls.ts";
import { elsewhere } from "./host.ts";
import { bodyTextOf, inputOf } from "./input.ts";
import { type Checked, INPUTS } from "./inputs.ts";
import { type Pages, pageHeaders } from "./pages.ts";
import { requireSameOrigin } from "./same-origin.ts";

/** One call, by somebody who may make it. */
export interface Asked {
  /** Undefined only where anyone may ask. */
  readonly session: PersonSession | undefined;
  readonly requestId: string;
  readonly address: string;
  readonly incoming: DoorEnv["Bindings"]["incoming"];
  readonly outgoing: DoorEnv["Bindings"]["outgoing"];
  /** When the asker is gone. */
  readonly signal: AbortSignal;
}

export type Handlers = {
  readonly [K in CallName]: (input: Checked<K>, asked: Asked) => Promise<Answers[K] | Response>;
};

export interface ConsoleParts {
  readonly people: Pick<People, "handle" | "session">;
  readonly handlers: Handlers;
  readonly pages: Pages;
  /** The address that people type: scheme, host and port. */
  readonly origin: string;
  /** Whether the operator said so: then who forwards may name any host. */
  readonly originIsSaid: boolean;
  /** How slow a body may be. */
  readonly pace: Pace;
  readonly stopping: AbortSignal;
  /** The address of who asks, as far as it can be trusted. */
  readonly addressOf: (incoming: DoorEnv["Bindings"]["incoming"]) => string;
  readonly reportProblem: ReportProblem;
}

export interface ConsoleEnv {
  Bindings: DoorEnv["Bindings"];
  Variables: { requestId: string };
}

type ConsoleContext = Context<ConsoleEnv>;

const AUTH = "/api/auth/";
const METHODS = ["GET", "POST", "PUT", "DELETE"];

export function createConsole(parts: ConsoleParts): Hono<ConsoleEnv> {
  const app = new Hono<ConsoleEnv>({ getPath: (_request, options) => options?.env?.target.path ?? "/" });
  app.use(async (c, next) => {
    const { incoming, outgoing } = c.env;
    c.set("requestId", randomUUID());
    outgoing.setHeader(HEADER.requestId, c.get("requestId"));
    const strict = strictTransport(incoming.headers.host);
    if (strict !== undefined) outgoing.setHeader(STRICT_TRANSPORT, strict);
    // On what goes out and not on what the app answers: streams and downloads are written past it.
    for (const [name, value] of Object.entries(pageHeaders)) outgoing.setHeader(name, value);
    if (parts.stopping.aborted)
      throw new ProblemError("stopping", "this receiver is stopping; come again", { retryAfter: 5 });
    await next();
  });
  app.use("/api/*", async (c, next) => {
    const { incoming, outgoing } = c.env;
    outgoing.setHeader("cache-control", "no-store");
    if (!METHODS.includes(incoming.method ?? "")) {
      outgoing.setHeader("allow", METHODS.join(", "));
      throw new ProblemError("method-not-allowed", `calls of the console are ${METHODS.join(", ")}`);
    }
    requireSameOrigin(incoming, parts.origin);
    await next();
  });
  app.all(`${AUTH}*`, async (c) => {
    const address = parts.addressOf(c.env.incoming);
    return await parts.people.handle(await requestOf(c, parts), address);
  });
  for (const [name, call] of Object.entries(CALLS) as [CallName, Call][])
    app.on(call.method, call.path, async (c) => await answer(parts, name, call, c));
  app.all("/api/*", (c) => {
    throw new ProblemError(
      "not-found",
      `the console has no ${c.env.incoming.method} ${c.env.target.path.slice(0, 200)}`,
    );
  });
  app.get("/*", (c) => {
    const { incoming, target } = c.env;
    const other = parts.originIsSaid ? undefined : elsewhere(incoming.headers.host, target, parts.origin);
    return other ?? parts.pages.answer(target.path, incoming.headers);
  });
  app.notFound((c) => refuse(new ProblemError("method-not-allowed", "pages are only read, with GET"), c));
  const refuse = answerProblem(parts.reportProblem);
  app.onError(refuse);
  return app;
}

async function answer(parts: ConsoleParts, name: CallName, call: Call, c: ConsoleContext): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const session = await parts.people.session(headersOf(c));
  if (call.role !== "anyone") requireRole(session, call.role, name);
  const input = await inputOf(name, INPUTS[name], c.env, parts.pace);
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  // He may have gone while his session was looked up, or his body read: that is told only once.
  if (outgoing.destroyed) gone.abort();
  const asked: Asked = {
    ...{ session, incoming, outgoing, requestId: c.get("requestId"), address: parts.addressOf(incoming) },
    signal: AbortSignal.any([gone.signal, parts.stopping]),
  };
  // The table's types say that this handler takes this input; the union of all of them cannot.
  const handler = parts.handlers[name] as (input: unknown, asked: Asked) => Promise<object | Response>;
  const made = await handler(input, asked);
  return made instanceof Response ? made : c.json(made);
}

/** Open to who has to set up a second factor first: to see what there is to set up, and nothing that changes anything. */
const BEFORE_SETUP: readonly CallName[] = ["me", "account.get"];

/** The same for every call: who is not known hears nothing of what there is. */
function requireRole(session: PersonSession | undefined, least: Role, name: CallName): void {
  const refusal = refusalOf(session, least, name);
  if (refusal !== undefined) throw refusal;
}

/** Of who follows what happens: whether he still may. */
export function mayGoOn(session: PersonSession | undefined): boolean {
  return refusalOf(session, "viewer", "live") === undefined;
}

function refusalOf(
  session: PersonSession | undefined,
  least: Role,
  name: CallName,
): ProblemError | undefined {
  if (session === undefined)
    return new ProblemError("unauthenticated", "sign in first; the session may have ended");
  const { role } = session.person;
  if (role === "uploader")
    return new ProblemError(
      "forbidden",
      "this is the console of the central team; a client's people have a page of their own",
    );
  if (session.mustSetUp && !BEFORE_SETUP.includes(name))
    return new ProblemError(
      "second-factor-required",
      "this site asks for a second factor: set up an authenticator app or a passkey first",
    );
  if (mayDo(role, least)) return undefined;
  return new ProblemError("forbidden", `this takes the role ${least}; yours is ${role}`);
}

/** As the web has it, for the login's library. */
async function requestOf(c: ConsoleContext, { origin, pace }: ConsoleParts): Promise<Request> {
  const { path, query } = c.env.target;
  const url = new URL(query === "" ? path : `${path}?${query}`, origin);
  const { method } = c.req;
  const body = method === "GET" ? null : await bodyTextOf(c.env, pace);
  return new Request(url, { method, headers: headersOf(c), body });
}

function headersOf(c: ConsoleContext): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(c.env.incoming.headers))
    if (value !== undefined && !name.startsWith(":"))
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  return headers;
}
