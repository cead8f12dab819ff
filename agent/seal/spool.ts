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

/** The spool as one source has it. */
export interface Room {
  /** Whether a copy of this size has room now. */
  fits(size: number): boolean;
  /**
   * Undefined when the bound would be passed: wait until parcels have left. One copy always has room, however large.
   * `begun`: the name of one that rests, to go on with.
   */
  draft(size: number, begun?: string): Draft | undefined;
  /** Whether this copy is here, and nobody writes it. */
  rests(name: string): boolean;
  /** Never fails: what cannot be removed now goes at the next start. */
  release(name: string): Promise<void>;
}

/** Beside others, one whose parcels do not leave may fill so many times what it leaves free. */
const SHARE = 4;
/** Where nothing says whose it is. */
const NOBODY = "";

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

export class Spool implements Room {
  readonly folder: string;
  #most: number;
  #used = 0;
  readonly #sizes = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  /** Bytes without what rests: all, and of each owner. */
  #busy = 0;
  readonly #shares = new Map<string, number>();
  /** All that ever had it in this process. */
  readonly #known = new Set<string>();
  /** Begun, and gone on with by nobody now; who rests longest goes first. */
  readonly #resting = new Set<string>();

  /** `keep` names the copies that parcels still need, with whose they are, `begun` those that are not whole yet; everything else here is the leftover of a crash and goes. */
  constructor(
    folder: string,
    mostBytes: number,
    keep: ReadonlyMap<string, string>,
    begun: ReadonlySet<string> = new Set(),
  ) {
    this.folder = folder;
    this.#most = mostBytes;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (!keep.has(name) && !begun.has(name)) rmSync(join(folder, name), { force: true });
      else this.#count(name, statSync(join(folder, name)).size, keep.get(name) ?? NOBODY);
      if (begun.has(name) && !keep.has(name)) this.#rest(name);
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

  /** For one source: while others have the spool, too, they find room in it whatever becomes of its parcels. */
  of(owner: string): Room {
    this.#known.add(owner);
    return {
      fits: (size) => this.fits(size, owner),
      draft: (size, begun) => this.draft(size, begun, owner),
      rests: (name) => this.rests(name),
      release: (name) => this.release(name),
    };
  }

  fits(size: number, owner = NOBODY): boolean {
    if (this.#busy === 0) return true;
    const free = this.#most - this.#busy - size;
    if (free < 0) return false;
    const own = this.#shares.get(owner) ?? 0;
    return own === 0 || this.#known.size < 2 || own + size <= SHARE * free;
  }

  draft(size: number, begun?: string, owner = NOBODY): Draft | undefined {
    if (!this.fits(size, owner)) return undefined;
    if (begun !== undefined) this.#forget(begun);
    for (const name of this.#resting) {
      if (this.#used + size <= this.#most) break;
      void this.release(name);
    }
    const name = begun ?? randomUUID();
    const file = join(this.folder, name);
    this.#count(name, size, owner);
    return {
      name,
      file,
      commit: async (actual) => {
        await syncPath(file);
        await syncPath(this.folder);
        this.#forget(name);
        this.#count(name, actual, owner);
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
        this.#count(name, bytes, owner);
        this.#rest(name);
      },
      discard: () => this.release(name),
    };
  }

  async release(name: string): Promise<void> {
    this.#forget(name);
    await rm(join(this.folder, name), { force: true }).catch(() => undefined);
  }

  rests(name: string): boolean {
    return this.#resting.has(name);
  }

  #count(name: string, size: number, owner: string): void {
    this.#sizes.set(name, size);
    this.#owners.set(name, owner);
    this.#used += size;
    this.#keepBusy(owner, size);
  }

  #rest(name: string): void {
    if (this.#resting.has(name)) return;
    this.#keepBusy(this.#owners.get(name) ?? NOBODY, -(this.#sizes.get(name) ?? 0));
    this.#resting.add(name);
  }

  #forget(name: string): void {
    this.#rest(name);
    this.#resting.delete(name);
    this.#used -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
    this.#owners.delete(name);
  }

  #keepBusy(owner: string, bytes: number): void {
    this.#busy += bytes;
    this.#shares.set(owner, (this.#shares.get(owner) ?? 0) + bytes);
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
