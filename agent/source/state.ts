/** The state of a file, as a look tells it, and how far it can be trusted. */

/** What one look says of one file. Two equal states mean: not touched between the looks, as far as the system tells. */
export interface FileState {
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Inode or file index, or what `Tells.contentIds` says; undefined where there is none that can be trusted (shares). */
  readonly fileId: bigint | undefined;
}

/** Clocks of file systems are coarse: within this of its last change, ms, a file can change again without a trace. */
export const COARSE_MS = 2_000;

/** Longer than the mounts of SMB and NFS remember the size and the times of a file. */
export const STALE_MS = 3_000;

/** What of a file's state tells that it was changed. */
export interface Tells {
  /** Its times are of this host's own clock, and may be compared with it. */
  readonly hostTimes: boolean;
  /** ms. No clock here may be compared with another's: there no file is read before it was seen as it is for so long, and whatever changes it from then on gives it other times. */
  readonly coarseMs: number;
  /** ms for which a look may tell what was before: mounts remember sizes and times. 0: each look asks. */
  readonly staleMs: number;
  /** `fileId` changes with the content (an ETag): equal ones are equal bytes, whatever the times are. */
  readonly contentIds: boolean;
}

/** The versions and ends of one path, oldest first, as the source keeps them; the last is how it is now. Each state has an id of its own. */
export type Past = readonly {
  readonly state: FileState;
  readonly deleted: boolean;
  /** Why its bytes cannot be had now. */
  readonly held?: string;
}[];

/** What is told of a file. */
export interface FileFacts {
  readonly state: FileState;
  /** Where the source keeps versions: all that it has of this path. */
  readonly past?: Past;
  /** Why its bytes cannot be had now (it lies in an archive); one that was captured in this state is well. */
  readonly held?: string;
}

/** These of whatever else is known of it. */
export function factsOf({ state, past, held }: FileFacts): FileFacts {
  return { state, ...(past === undefined ? {} : { past }), ...(held === undefined ? {} : { held }) };
}
