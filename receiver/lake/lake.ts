/**
 * The lake: the bytes, write-once, under keys that are never used twice. Bytes arrive in two steps: `stage` takes
 * them in, counted and hashed by us; `publish` makes them durable under their key. So a wrong digest, a quota or
 * an unchanged file is known before anything is visible in the lake.
 */
import type { Readable } from "node:stream";

/** Bytes taken in but not yet in the lake. Exactly one of publish, part (of the lake that staged it), discard ends it; hand on the object itself, not a copy. */
export interface Staged {
  readonly size: number;
  /** Lower-case hex, over the bytes as they arrived. */
  readonly sha256: string;
  discard(): Promise<void>;
}

/** A whole file, staged: it may be read again, as often as is wanted, before it ends. */
export interface StagedFile extends Staged {
  bytes(): AsyncIterable<Uint8Array>;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

/** One byte range, both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What ingest needs of the lake for whole files. */
export interface Lake {
  /**
   * Takes the bytes in; a chunk is valid until the next one is asked for, a Buffer is taken over as it is. Rejects with
   * the stream's own error; leaves nothing behind then.
   */
  stage(body: AsyncIterable<Uint8Array> | Buffer): Promise<StagedFile>;
  /** Durable when it resolves: file and folder fsynced, or the PUT answered. Consumes `staged`. `metadata` is a convenience, never the truth. */
  publish(staged: Staged, key: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  /** The bytes, or undefined when there is no such object. */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /**
   * Gives an object a second key, durable when it resolves; where it takes no room of its own, none is taken. It may be
   * there already, from an earlier try. Rejects with `lake-unavailable` when there is no object `from`.
   */
  copy(from: string, to: string): Promise<void>;
  /** Objects under a prefix in no particular order, streamed. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Removes an object that no entry names. No error when it is not there. */
  remove(key: string): Promise<void>;
}

export interface StoredPart {
  readonly number: number;
  readonly size: number;
  readonly sha256: string;
  /** What the adapter needs to complete (S3: the ETag). */
  readonly tag: string;
}

/** What ingest needs of the lake for large files in parts. `handle` is stored in the ledger: any receiver of the site can go on. */
export interface PartLake {
  begin(key: string, metadata: Readonly<Record<string, string>>): Promise<string>;
  /**
   * Like `stage`, for bytes that will be this part: a lake that can writes them straight to where they belong, so
   * that no byte is written twice. What is stored of this number is never touched before `part`.
   */
  stagePart(upload: PartUpload, number: number, body: AsyncIterable<Uint8Array>): Promise<Staged>;
  /**
   * Stores one part durably and gives its tag. Consumes `staged` (of `stage` or `stagePart`). The same bytes again
   * are fine; `part-conflict` when other bytes are known to be stored; `part-size` when the size is not the part's.
   */
  part(upload: PartUpload, number: number, staged: Staged): Promise<string>;
  /**
   * Puts the parts together under the key, durable when it resolves, and gives the SHA-256 of the whole, found by
   * hashing the parts in order, or by reading the completed object. `sha256` is what it must be: with another one
   * nothing stays under the key, the upload is over, and it rejects with `digest-mismatch`. Safe to repeat after a
   * crash: an upload that was completed already gives its digest again.
   */
  complete(
    upload: PartUpload,
    parts: readonly StoredPart[],
    sha256: string,
  ): Promise<{ readonly size: number; readonly sha256: string }>;
  abort(upload: PartUpload): Promise<void>;
  /** Uploads that the store holds, for the sweep. */
  open(): AsyncIterable<{ readonly handle: string; readonly key: string; readonly startedAt: number }>;
}

export interface PartUpload {
  readonly key: string;
  readonly handle: string;
  readonly size: number;
  readonly partSize: number;
}

/**
 * A file that comes in pieces of any order and may be altered until it is finished. Calls follow one another: each is
 * made when the one before has resolved. A failure of the disk is told by the call that meets it or the next, for good.
 */
export interface UnfinishedFile {
  readonly size: number;
  /** Resolves when `bytes` may be used again and more may come, which bounds what is held in memory. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fewer bytes than asked for where the file ends. */
  read(position: number, length: number): Promise<Buffer>;
  /** What it grows by are zeros. */
  resize(size: number): Promise<void>;
  /** The first bytes that nobody wrote; undefined when it has none. */
  missing(): { readonly start: number; readonly end: number } | undefined;
  /** On the disk with its note, when it resolves: it outlives the process and a power cut. */
  keep(): Promise<void>;
  /** What its note says has become another: it is written down anew, where it was written down. */
  noteAnew(): Promise<void>;
  /** Bytes that memory alone holds. */
  readonly inMemory: number;
  /** The end of it: counted and hashed, to be published. Throws when bytes are missing. */
  finish(): Promise<StagedFile>;
  discard(): Promise<void>;
}

/** `whole`: all that was written is on the disk. Undefined: after the end of this process nobody goes on with it. */
export type NoteOf = (whole: boolean) => string | undefined;

export interface KeptFile {
  readonly note: string;
  /** ms since 1970. */
  readonly touchedAt: number;
  /** Goes on with it. */
  open(note: NoteOf): UnfinishedFile;
}

/** What ingest needs of the lake for files in pieces. They lie at this receiver alone. */
export interface UnfinishedLake {
  /** `note` is asked whenever it is written down beside the file. */
  unfinished(note: NoteOf): UnfinishedFile;
  /** What earlier processes left, once, at the start; whatever cannot be gone on with is removed. */
  kept(): AsyncIterable<KeptFile>;
}

/** What a lake says about the store beneath it, found by trying at start. */
export interface LakeHealth {
  /** One line per finding, for people: what was tried and what the store really does. Throws when it cannot be used. */
  probe(): Promise<readonly string[]>;
  /** Cheap liveness for `/readyz`; throws with the reason. */
  check(): Promise<void>;
  /** Bytes free on this host's disk for bodies on their way, or undefined when they take none of it. */
  free(): Promise<number | undefined>;
  /** That disk is nearly full: lets go of what is kept there for speed alone, and gives how many bytes that was. */
  relieve(): Promise<number>;
}

/** Everything that main.ts hands out. */
export type AnyLake = Lake & PartLake & UnfinishedLake & LakeHealth;

/** A lake that was opened as the site's own. `id` is in its claim (`claim.ts`), and the ledger keeps it. */
export type OwnLake = AnyLake & { readonly id: string };
