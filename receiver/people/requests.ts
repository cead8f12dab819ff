/** What comes in at the routes of the login, checked before better-auth sees it; and what goes out. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { ADDRESS_HEADER, SESSION_COOKIE } from "./cookies.ts";
import { LONGEST_EMAIL } from "./invitations.ts";
import { type Route, type RouteOf, takenOf } from "./routes.ts";

export interface Incoming {
  readonly request: Request;
  readonly route: Route;
  /** The last segment of a provider's callback. */
  readonly provider: string | undefined;
  /** What is handed on of it. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly address: string;
  /** What the address counts as. */
  readonly place: string;
}

/** A passkey's answer is a few KB. */
const MOST_BYTES = 65_536;

/** Throws `not-found`, `forbidden` (another site's page asks), `json-invalid`, `body-too-large`, `request-invalid`. */
export async function incoming(
  request: Request,
  address: string,
  place: string,
  origin: string,
  routeOf: RouteOf,
): Promise<Incoming> {
  const { pathname } = new URL(request.url);
  const route = routeOf(request.method, pathname);
  if (route === undefined)
    throw new ProblemError("not-found", `there is no ${request.method} ${pathname.slice(0, 200)}`);
  const provider = route.path === "/callback/:id" ? pathname.split("/").at(-1) : undefined;
  if (route.method === "GET") return { request, route, provider, body: {}, address, place };
  // Every browser says it with a POST.
  if (request.headers.get("origin") !== origin)
    throw new ProblemError("forbidden", `this is for pages of ${origin} alone`);
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers.get("content-type") ?? ""))
    throw new ProblemError("json-invalid", "the body has to be application/json");
  const body = takenOf(route, parse(await read(request)));
  requirePlain(body);
  return { request, route, provider, body, address, place };
}

/** A passkey's answer has objects in objects (WebAuthn Level 3, 5.1). */
const DEEPEST = 5;

/** What better-auth may be handed, whoever sends it. Throws `request-invalid`. */
function requirePlain(body: Readonly<Record<string, unknown>>): void {
  const refuse = (why: string): never => {
    throw new ProblemError("request-invalid", why);
  };
  for (const [key, value] of Object.entries(body))
    if (!isPlain(value, key === "response" ? DEEPEST : 0)) refuse(`"${key}" is not what it has to be`);
  const { email } = body;
  if (email === undefined) return;
  if (typeof email !== "string") refuse("an email is a text");
  else if (email.length > LONGEST_EMAIL) refuse(`an email has at most ${LONGEST_EMAIL} characters`);
}

/** Whether it is a text that a database can keep, a number, or objects of such that are no deeper than that. */
function isPlain(value: unknown, deepest: number): boolean {
  if (typeof value === "string") return !value.includes("\0");
  if (typeof value !== "object" || value === null) return true;
  return deepest > 0 && Object.values(value).every((one) => isPlain(one, deepest - 1));
}

async function read(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES)
      throw new ProblemError("body-too-large", `a login has at most ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new ProblemError("json-invalid", "the body is no JSON object");
}

/** As better-auth gets it: at our origin whatever the Host header says, from the address that the listener knows. */
export function onward({ request, route, body, address }: Incoming, origin: string): Request {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  headers.set(ADDRESS_HEADER, address);
  return new Request(`${origin}${pathname}${search}`, {
    method: request.method,
    headers,
    ...(route.method === "GET" ? {} : { body: JSON.stringify(body) }),
  });
}

/**
 * The session's cookie goes when the browser ends: how long a session is good without use is the ledger's to say, and
 * Max-Age would count from the login.
 */
export function forBrowser(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.delete("set-cookie");
  headers.set("cache-control", "no-store");
  for (const cookie of response.headers.getSetCookie())
    headers.append(
      "set-cookie",
      cookie.startsWith(`${SESSION_COOKIE}=`) ? cookie.replace(/;\s*Max-Age=[1-9]\d*/i, "") : cookie,
    );
  return new Response(response.body, { status: response.status, headers });
}
