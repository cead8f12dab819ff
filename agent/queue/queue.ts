/**
 * The queue: the durable store of parcels and of what the agent has already seen. One SQLite file, WAL,
 * synchronous=FULL. Invariants:
 *  - a parcel and the `seen` state it was sealed from are stored in one transaction;
 *  - a parcel leaves only against a receipt, or visibly (superseded, set aside);
 *  - of one path only the oldest waiting parcel is ever handed out, so the order of sealing is the order of sending;
 *  - handing out is not stored: after a crash everything that has no receipt is waiting again.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { FileState } from "../source/state.ts";

interface ParcelBase {
  /** UUIDv7, made when it was sealed; ordered within a queue. */
  readonly captureId: string;
  readonly client: string;
  readonly source: string;
  readonly path: Buffer;
  /** RFC 3339, the agent's corrected clock. */
  readonly sealedAt: string;
}

export interface VersionParcel extends ParcelBase {
  readonly kind: "version";
  readonly state: FileState;
  readonly sha256: string;
  /** SHA-256 of each part as it is sent, 32 bytes each, where they were found when it was sealed. */
  readonly partDigests: Buffer | undefined;
  /** Name of the copy in the spool; undefined for `capture: in-place`. */
  readonly spooled: string | undefined;
}

export interface RemovalParcel extends ParcelBase {
  readonly kind: "removal";
  /** When it vanished, ns since 1970, where the source itself tells. */
  readonly endedNs?: bigint | undefined;
}

export type Parcel = VersionParcel | RemovalParcel;

/** A parcel with how far it has come. */
export interface Waiting {
  readonly parcel: Parcel;
  readonly attempts: number;
}

/** What was last sealed of a path, and whether a removal candidate is known. */
export interface Seen {
  readonly path: Buffer;
  readonly state: FileState;
  readonly sha256: string;
  /** ms since 1970. */
  readonly sealedAt: number;
  /** Times in a row that it was missed by a healthy look; or `ENDED`. */
  readonly missed: number;
}

/** In place of a count of misses: the source keeps versions, and the last that was brought of this path is its end. */
export const ENDED = 3;

/** What was sealed, with the state that is remembered of its path: one thing, so that neither is stored alone. */
export type Sealing =
  | { readonly parcel: VersionParcel; readonly seen: Seen }
  /** The path is forgotten with it: when it comes back it is new. Not stored when the path is not missed any more. */
  | { readonly parcel: RemovalParcel; readonly seen: undefined }
  /** An end that the source itself keeps (`missed: ENDED`): the path stays known, for what comes behind it. Without a parcel where there is nobody to tell. */
  | { readonly parcel: RemovalParcel | undefined; readonly seen: Seen; readonly ended: true }
  /** Same bytes as last sealed: only the state is new. Not stored when that was forgotten or superseded meanwhile. */
  | { readonly parcel: undefined; readonly seen: Seen };

/** Where a path stands between here and the receiver. */
export interface Standing {
  /** The receiver holds a version of it, by receipt. */
  readonly delivered: boolean;
  /** What it holds by receipt are exactly the bytes of the seen state. */
  readonly current: boolean;
  /** The youngest parcel of the path that waits. */
  readonly waiting: "none" | "in-place" | "spooled" | "removal";
}

/** What capture needs of the queue for one source. Synchronous: SQLite in this process. Writers throw `disk-full`. */
export interface Intake {
  readonly client: string;
  readonly source: string;
  /** What is known of the files directly in one folder, in byte order; read in pages, between which it may change. */
  seenIn(folder: Buffer): Iterable<Seen>;
  seen(path: Buffer): Seen | undefined;
  /** Names (first segments below `folder`) under which seen files lie, at any depth. */
  childFolders(folder: Buffer): Buffer[];
  /** `folder` and every folder below it that holds seen files, in byte order. */
  foldersSeen(folder: Buffer): Iterable<Buffer>;
  /** One transaction: all or nothing. */
  put(sealings: readonly Sealing[]): void;
  /** Counts misses of seen paths (0 forgets them). */
  missed(paths: readonly Buffer[], missed: number): void;
  /** Forgets a path: no removal will follow. */
  forget(path: Buffer): void;
  standing(path: Buffer): Standing;
  /** Versions of this size of files directly in one folder that the receiver holds by receipt, as far back as the log of deliveries goes. */
  deliveredIn(folder: Buffer, size: number): readonly { readonly path: Buffer; readonly sha256: string }[];
}

/** What is known of one source as a whole, and what is wrong in it. */
export interface SourceBook {
  /** The root that the source had when it was first seen healthy; undefined: not yet, or a new one was accepted. */
  rootId(): string | undefined;
  /** undefined: the next healthy root, with whatever is mounted in it, is taken as the source's own. */
  recordRoot(rootId: string | undefined): void;
  /** File systems mounted inside the source when it was seen: path and device. */
  mounts(): readonly { readonly path: Buffer; readonly device: string }[];
  recordMount(path: Buffer, device: string): void;
  scanFinished(at: number, files: number): void;
  /** When the last scan ended, ms since 1970, in whatever run of the agent. */
  lastScanAt(): number | undefined;
  /** Path empty: the source itself. Never throws: without room it is remembered in this process. True when it is a new one. */
  problem(path: Buffer, code: ProblemCode, detail: string, now: number): boolean;
  /** True when there was one. */
  recovered(path: Buffer): boolean;
  problems(): Iterable<{ readonly path: Buffer; readonly code: ProblemCode }>;
  problemCount(): number;
}

export interface ProblemRecord {
  readonly source: string;
  readonly path: Buffer;
  readonly code: ProblemCode;
  readonly detail: string;
  /** RFC 3339 of the first time. */
  readonly since: string;
}

/** Whether a parcel of this place may leave now; asked once for each that is handed out. */
export type Admit = (
  captureId: string,
  place: Pick<Parcel, "client" | "source">,
  /** Bytes; 0 for a removal. */
  size: number,
) => Admission;

/** "no": nothing of this source goes now. `below`: only parcels of fewer bytes. */
export type Admission = "yes" | "no" | { readonly below: number };

/** What the courier needs. */
export interface Outbox {
  /**
   * Waiting parcels, at most one a path, due at `now` (ms), not handed out already; hands them out. The oldest of each
   * source in turn, so that none waits for another; a source ends its turns with the first that `admit` refuses.
   */
  take(limit: number, now: number, admit?: Admit): Waiting[];
  /** Not begun after all: they wait as before. */
  giveBack(captureIds: readonly string[]): void;
  /** All that was postponed is due. */
  wakeAll(): void;
  /** Puts back what `retry` asked for, and what was set aside for a time that is over; how many parcels. While something of their path is on its way, later. */
  retake(): number;
  /** What was postponed because its source, of this name, could not be read or is not allowed is due. */
  wakeSource(name: string): void;
  /** ms at which the next parcel that was postponed becomes due, or undefined. */
  nextDue(): number | undefined;
  /** Gives them back to try again; one commit for all. */
  postpone(postponed: readonly Postponement[]): void;
  /** It is delivered, superseded or set aside: the end of this parcel. */
  end(captureId: string, end: ParcelEnd): void;
  /** Many ends in one commit: fsync decides how many small files a second can leave. Throws `disk-full`: then all of them wait again. */
  endAll(ends: readonly { readonly captureId: string; readonly end: ParcelEnd }[]): void;
}

export interface Postponement {
  readonly captureId: string;
  /** ms since 1970. */
  readonly until: number;
  readonly problem: { readonly code: ProblemCode; readonly detail: string };
}

export type ParcelEnd =
  /** `receipt` is the JWS; the delivery is kept in the local log of everything that left. */
  | {
      readonly kind: "delivered";
      readonly receipt: string;
      readonly versionId: string;
      readonly status: string;
      readonly receivedAt: string;
      readonly at: number;
    }
  /** The sealed bytes are gone; the file is to be sealed anew. */
  | { readonly kind: "superseded"; readonly detail: string; readonly at: number }
  /** Kept, visible; the next parcel of the path may go. Sent again by itself only at `until` (ms), if ever. */
  | {
      readonly kind: "aside";
      readonly code: ProblemCode;
      readonly detail: string;
      readonly at: number;
      readonly until?: number;
    }
  /** It was set aside, and a younger capture of its path is delivered: there is no turn for it any more. */
  | { readonly kind: "overtaken"; readonly at: number };

/** What the receiver holds as the newest of a path; `unknown`: something that no agent brought, which says nothing of the source. */
export type Learned =
  | {
      readonly kind: "version";
      readonly path: Buffer;
      readonly state: FileState;
      readonly sha256: string;
      /** ms since 1970. */
      readonly sealedAt: number;
    }
  /** `endedNs`: the source keeps its end among its versions, and this was it. */
  | { readonly kind: "removal"; readonly path: Buffer; readonly endedNs?: bigint }
  | { readonly kind: "unknown"; readonly path: Buffer };

/** For a source that several agents share, when this one takes it over; nothing of it may be captured or sent meanwhile. */
export interface Takeover {
  /** What waits, in the order of the paths' bytes, then of sealing; read in pages, between which what was read may end. */
  waiting(): Iterable<Parcel>;
  /**
   * From now on this is what was seen, and what is delivered. What was seen here with the same bytes stays as it was seen, and a
   * path of which there is a parcel stays altogether. Throws `disk-full`.
   */
  learn(term: number, all: readonly Learned[]): void;
  /** Forgets what `learn` has not named under this term, unless there is a parcel of it; in steps, each with how many rows it has looked at. */
  forgetOthers(term: number): Iterable<number>;
}

export interface QueueDepth {
  readonly depth: number;
  readonly bytes: number;
  readonly oldestSealedAt: string | undefined;
  readonly aside: number;
}
