/** An SFTP account once it has logged in: who it is, and what the SFTP door must know of it besides. */
import type { Principal } from "./principal.ts";
import { principalOf } from "./standing.ts";
import type { AccountStanding } from "./standing-rows.ts";

export interface Account {
  /** Of kind `account`. Its one client; its source, when bound to one; its acts. */
  readonly principal: Principal;
  readonly user: string;
  /** Where a file goes that is put beside the sources. */
  readonly defaultSource: string;
  /** Whether it may begin a source by a folder of its own; one that is bound to a source may not. */
  readonly mayMakeSources: boolean;
  /** Whether it sees older versions too. */
  readonly history: boolean;
  /** Whether it can fetch receipts as files. */
  readonly receipts: boolean;
}

/** `proof`: what it has logged in with. Throws `unauthenticated`, `client-suspended`. */
export function accountOf(id: string, standing: AccountStanding, proof: string): Account {
  const { user, defaultSource, history, receipts, source } = standing;
  return {
    ...{ user, defaultSource, history, receipts },
    principal: { ...principalOf(id, standing), proof },
    mayMakeSources: source === undefined,
  };
}
