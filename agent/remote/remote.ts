/**
 * A remote is a place away from this host where a client's files lie: an SFTP server, a bucket. This is all that a new
 * kind has to bring; `remote-source.ts` makes a `Source` of it, so that rules, settling, sealing, removals and `after:`
 * are the same everywhere. Paths are bytes below the place that the settings name, `/` between segments.
 *
 * Kinds whose files are made by asking (a query, a call, a program) do not list anything: they will bring a `Source` of
 * their own, with one file for each run.
 */
import type { Hands } from "../source/after.ts";
import type { FileFacts, FileState, Tells } from "../source/state.ts";

/**
 * What one name in a folder is. `state.ctimeNs` is 0n and `state.fileId` undefined unless the place has something that
 * tells a change better than size and time (an ETag): `tagId` makes an id of it.
 */
export type Entry =
  | ({ readonly kind: "file"; readonly name: Buffer } & FileFacts)
  | { readonly kind: "folder"; readonly name: Buffer }
  /** Neither: a link, a device. `what` says it, as in "a link: links are not followed". */
  | { readonly kind: "other"; readonly name: Buffer; readonly what: string }
  /** It is there, and cannot be captured: a name that is none. */
  | { readonly kind: "refused"; readonly name: Buffer; readonly reason: string };

/** A file that is being read. */
export interface RemoteFile extends AsyncDisposable {
  /** As the place tells it at the moment of opening. */
  readonly state: FileState;
  /** When it was last changed, in ns since 1970 UTC, where `state.mtimeNs` only stands for it (a listing without a time zone). */
  readonly modifiedNs?: bigint;
  /**
   * Its bytes from this position on, to the end. Called once for each reading; a second call takes the place of the first.
   * What is given may be held by the caller. Throws `RemoteError`.
   */
  bytes(from: number): AsyncIterable<Buffer>;
  /** What the place says of this path now; undefined: it is not there. Throws `RemoteError`. */
  again(): Promise<FileState | undefined>;
}

export interface Remote extends AsyncDisposable {
  readonly tells: Tells;
  /**
   * What is directly in one folder (empty: the whole place), in any number of portions. `ordered`: in the order of the
   * bytes of their names (of a file and a folder of one name, as buckets have them, the file first); else it is sorted by whoever asked. Throws `RemoteError`; one that breaks off says nothing
   * about what it did not come to.
   */
  list(folder: Buffer, signal: AbortSignal): AsyncIterable<readonly Entry[]>;
  readonly ordered: boolean;
  /** One path; undefined: it is not there, and the place keeps nothing of it. */
  look(path: Buffer): Promise<Entry | undefined>;
  /** The file in this state, where the place keeps several; else as it is now. */
  open(path: Buffer, state: FileState): Promise<RemoteFile>;
  /**
   * Whether the place is there and may be listed; the answer names it, the same for as long as it is the same place:
   * nothing is removed while it is another. Cheap: it is asked before and after each look at everything.
   */
  identity(): Promise<string>;
  /** Where names can be changed and removed one after the other: `after:` is done by these. */
  readonly hands?: Hands;
  /** Where the place itself can do it if, and only if, the object is still the one that was sealed. */
  readonly exactly?: Exactly;
}

/** `after:` for objects: one call that compares and acts. `false`: it is no longer what was sealed. Throws `RemoteError`. */
export interface Exactly {
  remove(path: Buffer, state: FileState): Promise<boolean>;
  /** Whether what is taken away goes on to be listed, as a version before an end. Not there: it does not. */
  keeps?(): Promise<boolean>;
  /** Never over anything: where `to` (a whole name of the place, not below the settings' own) is taken, `besideName(to, unique)`. */
  move(path: Buffer, state: FileState, to: Buffer, unique: string): Promise<boolean>;
}

/**
 * Why something could not be had. What is wrong, with what, and what to do: `reason` is read by people, without secrets.
 *  - absent: this path is not there
 *  - changed: it is no longer in the state that was asked for
 *  - denied: this path may not be read (or listed, or removed); others may
 *  - failed: this path, now; others may go
 *  - away: nothing can be had of the place now: the network, the server, the credentials, an overload
 */
export type RemoteFailure = "absent" | "changed" | "denied" | "failed" | "away";

export class RemoteError extends Error {
  readonly failure: RemoteFailure;
  /** Seconds after which another try is sensible, where the place says so. */
  readonly retryAfter: number | undefined;

  constructor(
    failure: RemoteFailure,
    reason: string,
    options: { cause?: unknown; retryAfter?: number } = {},
  ) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RemoteError";
    this.failure = failure;
    this.retryAfter = options.retryAfter;
  }
}
