/** Who is limited by what: a client, and inside it the agent, API key or SFTP account that asks, where that has a limit of its own. */
import type { BearerLimits, Limits } from "../ledger/limits.ts";

export interface Subject<Most> {
  readonly kind: "client" | Bearer["kind"];
  /** The client's name, or the id of the agent, key or account. */
  readonly name: string;
  /** What people know it by, where that is not its name. */
  readonly user?: string | undefined;
  readonly most: Most;
}

/** What limits need to know of a principal. */
export interface Bearer {
  readonly kind: "agent" | "key" | "account";
  readonly id: string;
  /** Of an SFTP account. */
  readonly user?: string;
  readonly limits?: BearerLimits;
  readonly clientLimits?: ReadonlyMap<string, Limits>;
}

type Most<K extends keyof Limits> = NonNullable<Limits[K]>;

/** The narrower one first; empty when nothing is limited. `client` undefined: nobody knows for which of several. */
export function subjectsOf<K extends keyof Limits>(
  what: K,
  bearer: Bearer,
  client: string | undefined,
  defaults: Limits,
): readonly Subject<Most<K>>[] {
  const found: Subject<Most<K>>[] = [];
  const own = bearer.limits?.[what] ?? null;
  if (own !== null)
    found.push({ kind: bearer.kind, name: bearer.id, user: bearer.user, most: own as Most<K> });
  if (client === undefined) return found;
  const all = bearer.clientLimits?.get(client)?.[what] ?? defaults[what];
  if (all !== null) found.push({ kind: "client", name: client, most: all as Most<K> });
  return found;
}

export function keyOf({ kind, name }: Pick<Subject<unknown>, "kind" | "name">): string {
  return `${kind} ${name}`;
}

const KINDS = {
  client: "the client",
  agent: "the agent",
  key: "the API key",
  account: "the SFTP account",
} as const satisfies Record<Subject<unknown>["kind"], string>;

/** As people read it: the client "demo". */
export function called({ kind, name, user }: Pick<Subject<unknown>, "kind" | "name" | "user">): string {
  return `${KINDS[kind]} "${user ?? name}"`;
}
