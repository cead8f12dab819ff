/** What a reader may see: its clients, the source it is bound to; an agent only what it brought itself. */
import type { Entry } from "@tributary/shared/protocol.ts";
import { clientOf, type Principal, require } from "../identity/principal.ts";
import type { Scope } from "../ledger/ledger.ts";

/** `client` and `source` as asked for, undefined: all that there are. Throws `forbidden`, `client-not-allowed`, `source-not-allowed`. */
export function scopeOf(principal: Principal, client: string | undefined, source: string | undefined): Scope {
  require(principal, "read", source);
  const bound = source ?? principal.source;
  return {
    clients: client === undefined ? principal.clients : [clientOf(principal, client)],
    ...(bound === undefined ? {} : { source: bound }),
    ...(principal.kind === "agent" ? { broughtBy: principal.id } : {}),
  };
}

export function sees(scope: Scope, entry: Entry): boolean {
  return (
    scope.clients !== "all" &&
    scope.clients.includes(entry.client) &&
    (scope.source === undefined || scope.source === entry.source) &&
    (scope.broughtBy === undefined || scope.broughtBy === entry.agentId)
  );
}
