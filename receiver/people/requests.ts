/** What comes in at the routes of the login, checked before better-auth sees it; and what goes out. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { ADDRESS_HEADER, SESSION_COOKIE } from "./cookies.ts";
import { bodyFor, type Route, type RouteOf } from "./routes.ts";

export interface Incoming {
  readonly request: Request;
  readonly route: Route;
  /** The last segment of a provider's callback. */
  readonly provider: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  readonly address: string;
  /** What the address counts as. */
  readonly place: string;
}

/** A passkey's answer is a few KB. */
const MOST_BYTES = 65_536;

/** Throws `not-found`, `forbidden` (another site's page asks), `json-invalid`, `body-too-large`. */
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
  return { request, route, provider, body: parse(await read(request)), address, place };
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
    ...(route.method === "GET" ? {} : { body: bodyFor(route, body) }),
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
