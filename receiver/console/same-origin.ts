/**
 * Against requests that other sites make a browser send (CSRF): whatever changes something has to come from our own
 * pages. Cookies alone (SameSite=Lax) would leave out what runs on another port or subdomain of the same site.
 */
import type { IncomingMessage } from "node:http";
import { ProblemError } from "@tributary/shared/problems.ts";

const READING = ["GET", "HEAD", "OPTIONS"];

/** Throws `forbidden`. A browser says where a request comes from; a program that says nothing has no cookies of a person either. */
export function requireSameOrigin(incoming: IncomingMessage, origin: string): void {
  if (READING.includes(incoming.method ?? "")) return;
  const { origin: from, "sec-fetch-site": site } = incoming.headers;
  const foreign = site !== undefined && site !== "same-origin";
  if (from === origin && !foreign) return;
  throw new ProblemError(
    "forbidden",
    from === undefined
      ? "a change has to say where it comes from: the Origin header is missing"
      : `this comes from ${String(from).slice(0, 200)}, and the console is at ${origin}; if that is the same place behind a proxy, set console: { url } in receiver.yaml`,
  );
}
