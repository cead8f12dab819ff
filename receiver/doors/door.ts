/** What every door shares: the request as Node has it, its raw target, and its id. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import type { Principal } from "../identity/principal.ts";
import type { Target } from "./target.ts";

/** `target` is the request line's own spelling: URL parsers resolve `..` and `%2e` before anybody can refuse them. */
export interface DoorEnv {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse; target: Target };
  /** `principal`: who it is, once that is known. */
  Variables: { requestId: string; admission: Admission; principal?: Principal };
}

/** Who may ask now. */
export interface Admission {
  /** Counts the request, and says on its answer how the limits stand. Throws `limit-requests`. */
  count(c: DoorContext, principal: Principal): Promise<void>;
  /** Looks at credentials, unless too many wrong ones came from this address: then throws `limit-requests` without a look. */
  look<T>(c: DoorContext, credentials: string | undefined, look: () => Promise<T>): Promise<T>;
}

export type DoorContext = Context<DoorEnv>;

/** The one value of a header, or undefined; Node joins repeated ones with a comma. */
export function header(c: DoorContext, name: string): string | undefined {
  const value = c.env.incoming.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}
