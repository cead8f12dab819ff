/** What the requests of a session need: who asks, and the rooms behind the door. */
import type { Account } from "../../identity/account.ts";
import type { Ingest, StillAllowed } from "../../ingest/ingest.ts";
import type { UnfinishedUploads } from "../../ingest/unfinished.ts";
import type { Lake } from "../../lake/lake.ts";
import type { History } from "../../ledger/ledger.ts";
import type { Trees, View } from "../../tree/tree.ts";
import type { OpenAtOnce } from "./open-at-once.ts";
import type { RefusedFiles } from "./refused.ts";
import type { IsTemporary } from "./temporary.ts";

/** What all visits share. */
export interface SftpRooms {
  readonly ingest: Pick<Ingest, "removal">;
  readonly unfinished: UnfinishedUploads;
  readonly trees: Pick<Trees, "now" | "ever" | "changes">;
  readonly history: Pick<History, "page" | "since" | "version">;
  readonly lake: Pick<Lake, "read">;
  readonly isTemporary: IsTemporary;
  readonly refused: RefusedFiles;
  /** A page of names waits in each one that is open. */
  readonly folders: Pick<OpenAtOnce, "take">;
  readonly now: () => number;
  /** A place among the uploads of the receiver and of the client, until the work is done. Throws `busy`, `limit-concurrent`, `limit-requests`. */
  hold<T>(account: Account, client: string, work: () => Promise<T>): Promise<T>;
}

/** One session of somebody who has logged in. */
export interface Visit {
  readonly rooms: SftpRooms;
  readonly account: Account;
  readonly client: string;
  readonly view: View;
  readonly stillAllowed: StillAllowed;
}

export const mayRead = ({ account }: Visit): boolean => account.principal.acts.has("read");
