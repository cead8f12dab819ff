/**
 * The spool: copies of sealed versions, so that none is lost while the receiver is away. Bounded; a copy is durable
 * (file and folder fsynced) before its parcel is put, and goes when its parcel ends. Names are ours, never the client's.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
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
  discard(): Promise<void>;
}

export class Spool {
  readonly folder: string;
  #most: number;
  #used = 0;
  readonly #sizes = new Map<string, number>();

  /** `keep` names the copies that parcels still need; everything else here is the leftover of a crash and goes. */
  constructor(folder: string, mostBytes: number, keep: ReadonlySet<string>) {
    this.folder = folder;
    this.#most = mostBytes;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (!keep.has(name)) rmSync(join(folder, name), { force: true });
      else this.#count(name, statSync(join(folder, name)).size);
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
    return this.#used === 0 || this.#used + size <= this.#most;
  }

  /**
   * Undefined when the bound would be passed: wait until parcels have left. One copy always has room, however large.
   * `begun`: the name of one that was kept, to go on with.
   */
  draft(size: number, begun?: string): Draft | undefined {
    if (begun !== undefined) this.#forget(begun);
    if (!this.fits(size)) {
      if (begun !== undefined) this.#count(begun, 0);
      return undefined;
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
      discard: () => this.release(name),
    };
  }

  /** Never fails: what cannot be removed now goes at the next start. */
  async release(name: string): Promise<void> {
    this.#forget(name);
    await rm(join(this.folder, name), { force: true }).catch(() => undefined);
  }

  async has(name: string): Promise<boolean> {
    return await stat(join(this.folder, name)).then(
      () => true,
      () => false,
    );
  }

  #count(name: string, size: number): void {
    this.#sizes.set(name, size);
    this.#used += size;
  }

  #forget(name: string): void {
    this.#used -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
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
