/**
 * Whoever opens the console at another name than its own: cookies and passkeys belong to one host, and changes are taken
 * from one origin, so that a page which loads there could do nothing.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Target } from "../doors/target.ts";

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Undefined where it is the right one. From a loopback address to the console's own name for it; throws `request-invalid`
 * at any other host, which is not sent anywhere: a tunnel or proxy would only lead it astray.
 */
export function elsewhere(host: string | undefined, target: Target, origin: string): Response | undefined {
  const own = new URL(origin);
  if (host === undefined || host.toLowerCase() === own.host) return undefined;
  const asked = URL.parse(`https://${host}`);
  if (asked?.port === own.port && LOOPBACK.test(asked.hostname))
    // Our own origin stands before whatever was asked for, so that it leads nowhere else.
    return new Response(null, { status: 307, headers: { location: `${origin}${whereIn(target)}` } });
  throw new ProblemError(
    "request-invalid",
    `the console is at ${origin}, and this was asked of ${host.slice(0, 200)}; if that is the same place behind a proxy or tunnel, set console: { url } in receiver.yaml`,
  );
}

/** Raw bytes above ASCII reach us as latin1 characters. */
function whereIn({ path, query }: Target): string {
  const whole = query === "" ? path : `${path}?${query}`;
  return whole.replaceAll(
    /[^!-~]/g,
    (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}
