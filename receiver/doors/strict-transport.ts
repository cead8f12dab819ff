/**
 * HTTP Strict Transport Security (RFC 6797): from now on a browser asks this host over TLS only. Never said for
 * `localhost`: it would hold for every other program that listens on whoever's own machine.
 */
export const STRICT_TRANSPORT = "strict-transport-security";

/** What is said to whoever asked this `host` header; undefined: nothing. */
export function strictTransport(host: string | undefined): string | undefined {
  return host === undefined || LOCAL.test(host) ? undefined : "max-age=31536000";
}

const LOCAL = /^(?:.*\.)?localhost(?::\d+)?$/i;
