/** Between SSH and the door: what a listener needs, and who comes in through it. */
import type { Duplex } from "node:stream";
import type { Account } from "../../identity/account.ts";
import type { SftpLogin } from "../../identity/sftp-login.ts";
import type { SftpFact } from "./facts.ts";
import type { SshLibrary } from "./library.ts";

export interface SshParts {
  readonly library: SshLibrary["ssh2"];
  readonly hostKeys: readonly string[];
  readonly login: SftpLogin;
  /** What the server calls itself. */
  readonly ident: string;
  readonly connections: { readonly most: number; readonly perAddress: number };
  /** ms from the connection to the login. */
  readonly loginWithin: number;
  /** Sessions of one connection at once. */
  readonly sessions: number;
  readonly report: (fact: SftpFact) => void;
  /** Somebody who logged in. The answer is called when the connection has ended. */
  readonly enter: (visitor: Visitor) => () => void;
}

export interface Visitor {
  readonly account: Account;
  readonly address: string;
  /** Calls back for each `sftp` that is asked for; its connection ends with the last of them. */
  onSession(serve: (session: SftpChannel) => Promise<void>): void;
  /** Ends the connection, as soon as what was told has been read. */
  cut(words: string): void;
  /** Ends it at once: of somebody who keeps to no rules nothing more is taken. */
  drop(words: string): void;
}

export interface SftpChannel {
  readonly channel: Duplex;
  tell(words: string): void;
  /**
   * Whether bytes of the connection stay with the system. The window that SSH itself has for a channel is 2 MiB, and
   * cannot be made smaller: too much for hundreds of sessions.
   */
  hold(held: boolean): void;
  /** The connection has ended; of the channel nobody hears that while something waits to be written to it, or to be read. */
  readonly gone: AbortSignal;
}
