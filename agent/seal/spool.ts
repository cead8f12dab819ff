/**
 * The spool: copies of sealed versions, so that none is lost while the receiver is away. Bounded; a copy is durable
 * (file and folder fsynced) before its parcel is put, and goes when its parcel ends. One that was begun and rests, until
 * it is gone on with, keeps nobody out: it goes when its room is needed. Names are ours, never the client's.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";

/** Room taken for one copy; commit it or give it up. */
export interface Draft {
  readonly name: string;
  readonly file: string;
  /** Durable from here on. `size` is what it really has. */
  commit(size: number): Promise<void>;
  /** Not whole yet, and kept all the same: what was written is durable. */
  keep(): Promise<void>;
  /** Nobody writes it any more, for now; so many bytes of it are there. */
  rest(bytes: number): void;
  discard(): Promise<void>;
}

export class Spool {
  readonly folder: string;
  #most: number;
  #used = 0;
  readonly #sizes = new Map<string, number>();
  /** Begun, and gone on with by nobody now; who rests longest goes first. */
  readonly #resting = new Set<string>();

  /** `keep` names the copies that parcels still need, `begun` those that are not whole yet; everything else here is the leftover of a crash and goes. */
  constructor(
    folder: string,
    mostBytes: number,
    keep: ReadonlySet<string>,
    begun: ReadonlySet<string> = new Set(),
  ) {
    this.folder = folder;
    this.#most = mostBytes;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (!keep.has(name) && !begun.has(name)) rmSync(join(folder, name), { force: true });
      else this.#count(name, statSync(join(folder, name)).size);
      if (begun.has(name) && !keep.has(name)) this.#resting.add(name);
    }
  }

  /** Another bound from now on, in bytes; what is over it already stays until it has left. */
  bound(mostBytes: number): void {
    this.#most = mostBytes;
  }

  get used(): number {
    return this.#used;
  }

  pathOf(name: string): string {
    return join(this.folder, name);
  }

  /** Whether a copy of this size has room now. */
  fits(size: number): boolean {
    let busy = this.#used;
    for (const name of this.#resting) busy -= this.#sizes.get(name) ?? 0;
    return busy === 0 || busy + size <= this.#most;
  }

  /**
   * Undefined when the bound would be passed: wait until parcels have left. One copy always has room, however large.
   * `begun`: the name of one that rests, to go on with.
   */
  draft(size: number, begun?: string): Draft | undefined {
    if (!this.fits(size)) return undefined;
    if (begun !== undefined) this.#forget(begun);
    for (const name of this.#resting) {
      if (this.#used + size <= this.#most) break;
      void this.release(name);
    }
    const name = begun ?? randomUUID();
    const file = join(this.folder, name);
    this.#count(name, size);
    return {
      name,
      file,
      commit: async (actual) => {
        await syncPath(file);
        await syncPath(this.folder);
        this.#forget(name);
        this.#count(name, actual);
      },
      keep: async () => {
        try {
          await syncPath(file);
          await syncPath(this.folder);
        } catch (error) {
          throw diskProblem(error);
        }
      },
      rest: (bytes) => {
        this.#forget(name);
        this.#count(name, bytes);
        this.#resting.add(name);
      },
      discard: () => this.release(name),
    };
  }

  /** Never fails: what cannot be removed now goes at the next start. */
  async release(name: string): Promise<void> {
    this.#forget(name);
    await rm(join(this.folder, name), { force: true }).catch(() => undefined);
  }

  /** Whether this copy is here, and nobody writes it. */
  rests(name: string): boolean {
    return this.#resting.has(name);
  }

  #count(name: string, size: number): void {
    this.#sizes.set(name, size);
    this.#used += size;
  }

  #forget(name: string): void {
    this.#used -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
    this.#resting.delete(name);
  }
}

/** No room on the disk is a state of the host, with its own name. */
export function diskProblem(error: unknown): unknown {
  const code = String((error as { code?: unknown }).code);
  if (!/^(ENOSPC|EDQUOT)$/.test(code)) return error;
  return new ProblemError(
    "disk-full",
    `the spool cannot be written (${code}); free space on the disk of --data`,
    {
      cause: error,
    },
  );
}

async function syncPath(path: string): Promise<void> {
  // Windows cannot open folders; there the file's own flush is all there is.
  const handle = await open(path, "r+").catch(() => open(path, "r"));
  try {
    await handle.sync();
  } catch (error) {
    if (process.platform !== "win32") throw error;
  } finally {
    await handle.close();
  }
}
