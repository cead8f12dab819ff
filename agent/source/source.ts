/**
 * A source is where files appear at the client. The port hides whether that is a folder, a share or a server.
 * Hints (file events) only say where to look; what `list` and `look` see is the truth. Paths are bytes relative to
 * the root, `/` between segments. Nothing here decides whether a file is ready: that is `settle`.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { After } from "./after.ts";
import type { FileFacts, FileState, Tells } from "./state.ts";

export interface Sighting extends FileFacts {
  readonly path: Buffer;
}

/** Something that is not captured, and why; `code` undefined when it is skipped by rule (a link, a device, a filter). */
export interface Unseen {
  readonly path: Buffer;
  readonly reason: string;
  readonly code: ProblemCode | undefined;
  /** By its kind it is neither a file nor a folder, whatever the rules are: what was captured under this path is there no more. */
  readonly absent?: true;
}

/** What lies in a folder under one name; subfolders are told by the listing. */
export type Found = Sighting | Unseen;

/** Takes some of what lies in a folder. From call to call in the order of the bytes of the names. */
export type TakeFound = (found: readonly Found[]) => Promise<void> | void;

/** One folder, listed once. `complete: false`: it could not be listed (any more), so nothing may be concluded from what is missing in it. */
export interface Listing {
  readonly folder: Buffer;
  /** In the order of their bytes. */
  readonly folders: readonly Buffer[];
  readonly complete: boolean;
  /** Why it was not listed. */
  readonly unlisted?: Unseen;
  /** The folder itself is not there (any more): its parent knows whether that is a removal. */
  readonly vanished?: boolean;
  /** Set where another file system is mounted here: which one. Another one, or none, next time: nothing may be concluded. */
  readonly mount?: string;
  /** Files under a temporary name of our own: an `after:` action is under way, or was cut off. */
  readonly own?: readonly Buffer[];
}

export type Look =
  | ({ readonly kind: "file" } & FileFacts)
  | { readonly kind: "away"; readonly reason: string }
  /** `mount` as with a listing. */
  | { readonly kind: "folder"; readonly mount?: string }
  | { readonly kind: "gone" }
  | { readonly kind: "unseen"; readonly unseen: Unseen };

/** Whether the root is there and is the root it was. Only a healthy root allows removals. `rootId` identifies device and folder. */
export type RootHealth =
  | { readonly healthy: true; readonly rootId: string }
  | { readonly healthy: false; readonly code: ProblemCode; readonly reason: string };

/** A file opened for reading without following links; `state` is of the opened file itself. */
export interface OpenFile extends AsyncDisposable {
  readonly state: FileState;
  /** ns since 1970 UTC when it was last changed, where `state.mtimeNs` only stands for it. */
  readonly modifiedNs?: bigint;
  /** Re-stats the opened file and the path; undefined when the path no longer leads to this file. */
  recheck(): Promise<FileState | undefined>;
  /** Bytes read into `into` from `position`; 0 at the end. */
  read(into: Buffer, position: number): Promise<number>;
  /** Makes `target` (new) a copy that shares the blocks, in an instant; false where the file system cannot. */
  cloneTo?(target: string): Promise<boolean>;
}

export type Opened =
  | { readonly kind: "open"; readonly file: OpenFile }
  | { readonly kind: "gone" }
  /** Nothing of the source can be had now: it is no fault of this file. */
  | { readonly kind: "away"; readonly reason: string }
  | { readonly kind: "unseen"; readonly unseen: Unseen };

/** `path` undefined: something happened somewhere (overflow, error, a folder moved): scan. */
export type Hint = (path: Buffer | undefined) => void;

export interface Source {
  readonly name: string;
  readonly tells: Tells;
  /**
   * One folder (empty: the root), and only that; its files go to `take`, each call awaited, so that memory holds few of
   * them. Throws only what `take` throws. Begins to watch it where watching is by folder.
   */
  list(folder: Buffer, take: TakeFound): Promise<Listing>;
  look(path: Buffer): Promise<Look>;
  /** The file as it is now; where the source keeps versions, the one that has this state. */
  open(path: Buffer, state?: FileState): Promise<Opened>;
  /**
   * A small file whole, if it is in this state before its first and after its last byte; while everything waits, so
   * only where that is short. Undefined for anything else, whatever the reason: `open` tells.
   */
  readNow?: ((path: Buffer, state: FileState) => Buffer | undefined) | undefined;
  health(): Promise<RootHealth>;
  /** Whether the rules (include, exclude) take this path; a path that they no longer take is not missing. */
  takes(path: Buffer): boolean;
  /** Begins to give hints for the folders listed from now on. The answer stops it. Failing to watch is a fact, not an error. */
  watch(hint: Hint, failed: (reason: string) => void): Promise<() => Promise<void>>;
  /** `after:`, see there. */
  readonly after: After;
  /** Nothing is asked of it any more. */
  close?(): Promise<void>;
}
