/**
 * Files that are fetched from far away and are not whole yet. A cut, a stop or a crash costs only what came since the
 * last time that the disk was waited for: up to there the copy is durable, and from there it goes on.
 */
import type { FileState } from "../source/state.ts";

export interface Fetch {
  readonly path: Buffer;
  /** Only of a file in this state the rest is fetched. */
  readonly state: FileState;
  /** Name of the copy in the spool. */
  readonly spooled: string;
  /** Of it, from its beginning, are durable. */
  readonly bytes: number;
}

/** Of one source. Synchronous; writers throw `disk-full`. Storing a version of a path forgets its fetch in the same commit. */
export interface Fetches {
  get(path: Buffer): Fetch | undefined;
  all(): readonly Fetch[];
  put(fetch: Fetch): void;
  forget(path: Buffer): void;
}

/** Below this a file begins anew: to remember it would cost more. */
export const WORTH_KEEPING = 4 * 2 ** 20;
/** How often the disk is waited for while a file comes, in bytes. */
export const KEPT_EVERY = 32 * 2 ** 20;
