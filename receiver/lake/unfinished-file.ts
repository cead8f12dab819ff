/** One file that comes in pieces: what is held in memory, what is on its way to the disk, and the digest of what came in order. */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { ProblemError } from "@tributary/shared/problems.ts";
import { Blocks } from "./blocks.ts";
import { digestOf } from "./directory-tree.ts";
import { lakeFault } from "./disk.ts";
import { type Extent, Extents, requireNothingMissing } from "./extents.ts";
import type { StagedFile, UnfinishedFile } from "./lake.ts";
import type { Staging } from "./stage.ts";

/** What its note vouches for. */
interface Noted {
  /** All bytes of the file were written. */
  readonly gapless: boolean;
  /** These are on the disk for good. */
  readonly synced: { readonly size: number; readonly ranges: readonly Extent[] } | null;
}

/** Where it lies once it does not fit into memory any more. */
export interface Place {
  readonly file: string;
  open(flags: string): Promise<FileHandle>;
  /** `whole`: see `NoteOf`. */
  write(state: Noted, whole: boolean, durably: boolean): Promise<void>;
  /** The note alone. */
  forget(): Promise<void>;
  remove(): Promise<void>;
}

/** So much is gathered for one write, and as much may be in flight; a file of this size touches no disk before it is published. */
const BLOCKS = new Blocks(256 * 1024, 64);
/** The disk begins with what came so long ago, so that the sync at the end has little left. */
const SYNC_EVERY = 64 * 2 ** 20;

const NEW: Noted = { gapless: true, synced: null };

export class Unfinished implements UnfinishedFile {
  readonly #place: Place;
  readonly #staging: Staging;
  readonly #extents: Extents;
  #size: number;
  /** In order behind what was handed to the disk: copied out of what came, since that is often a view of much more. */
  #block: Buffer | undefined;
  #held = 0;
  /** Where the first byte of it lies. */
  #from: number;
  #flying: Promise<void> = Promise.resolve();
  #inFlight = 0;
  #fault: ProblemError | undefined;
  #handle: FileHandle | undefined;
  /** It has a file on the disk. */
  #spilled: boolean;
  /** Of all bytes up to `#from`; undefined when they did not come in order. */
  #hash: Hash | undefined;
  /** What stands in its note. */
  #noted: Noted;
  /** Since its note was written by `keep`. */
  #altered = false;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;

  constructor(
    place: Place,
    staging: Staging,
    there?: { readonly size: number; readonly ranges: readonly Extent[]; readonly noted: Noted },
  ) {
    this.#place = place;
    this.#staging = staging;
    this.#extents = new Extents(there?.ranges);
    this.#size = there?.size ?? 0;
    this.#from = this.#size;
    this.#spilled = there !== undefined;
    this.#noted = there?.noted ?? NEW;
    this.#hash = there === undefined ? createHash("sha256") : undefined;
  }

  get size(): number {
    return this.#size;
  }

  get inMemory(): number {
    return this.#held + this.#inFlight;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    if (bytes.length === 0) return;
    this.#altered = true;
    if (position !== this.#size) return await this.#writeApart(bytes, position);
    this.#extents.add(position, position + bytes.length);
    for (let rest = bytes; rest.length > 0; ) {
      const block = await this.#room(rest.length);
      const piece = rest.subarray(0, block.length - this.#held);
      block.set(piece, this.#held);
      this.#held += piece.length;
      this.#size += piece.length;
      rest = rest.subarray(piece.length);
    }
  }

  async read(position: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.#size - position));
    if (wanted === 0) return Buffer.alloc(0);
    if (!this.#spilled) return Buffer.from(this.#inBlock().subarray(position, position + wanted));
    await this.#land();
    return await this.#guard(async () => {
      const bytes = Buffer.allocUnsafe(wanted);
      const { bytesRead } = await (await this.#open()).read(bytes, 0, wanted, position);
      return bytes.subarray(0, bytesRead);
    });
  }

  async resize(size: number): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    if (size === this.#size) return;
    this.#altered = true;
    if (size === 0) return await this.#begin();
    await this.#spill();
    await this.#land();
    await this.#guard(async () => {
      await this.#disturb(size);
      await (await this.#open()).truncate(size);
    });
    if (size > this.#size) this.#extents.add(this.#size, size);
    else this.#extents.cut(size);
    this.#size = size;
    this.#from = size;
    this.#hash = undefined;
  }

  missing(): Extent | undefined {
    return this.#extents.missing(this.#size);
  }

  async keep(): Promise<void> {
    await this.#spill();
    await this.#land();
    await this.#guard(async () => {
      await (await this.#open()).sync();
      await this.#close();
      const synced = { size: this.#size, ranges: [...this.#extents.ranges] };
      await this.#note({ gapless: this.missing() === undefined, synced }, true, true);
      this.#altered = false;
    });
  }

  async noteAnew(): Promise<void> {
    if (!this.#spilled) return;
    const { synced } = this.#noted;
    // After a power cut only what was synced is there.
    const whole = synced === null ? this.inMemory === 0 : !this.#altered;
    await this.#guard(() => this.#note(this.#noted, whole));
  }

  async finish(): Promise<StagedFile> {
    requireNothingMissing(this.missing());
    if (!this.#spilled) {
      const bytes = Buffer.from(this.#inBlock());
      this.#drop();
      return await this.#staging.stage(bytes);
    }
    await this.#land();
    return await this.#guard(async () => {
      await this.#close();
      await this.#place.forget();
      const whole = this.#hash?.digest("hex") ?? (await digestOf(this.#place.file))?.sha256;
      if (whole === undefined) throw new Error("it is gone");
      return this.#staging.adopt(this.#place.file, this.#size, whole);
    });
  }

  async discard(): Promise<void> {
    this.#drop();
    await this.#flying;
    await this.#close().catch(() => {});
    if (this.#spilled) await this.#place.remove();
  }

  /** As if nothing had come yet. */
  async #begin(): Promise<void> {
    await this.discard();
    this.#extents.cut(0);
    this.#size = 0;
    this.#from = 0;
    this.#spilled = false;
    this.#noted = NEW;
    this.#hash = createHash("sha256");
  }

  /** Anywhere but at the end. */
  async #writeApart(bytes: Uint8Array, position: number): Promise<void> {
    this.#extents.add(position, position + bytes.length);
    this.#hash = undefined;
    await this.#spill();
    await this.#land();
    await this.#guard(async () => {
      // Of a file with gaps its length does not tell which bytes are in it.
      if (position > this.#size && this.#noted.gapless) await this.#note({ ...this.#noted, gapless: false });
      await this.#disturb(position);
      await writeAll(await this.#open(), bytes, position);
    });
    this.#size = Math.max(this.#size, position + bytes.length);
    this.#from = this.#size;
  }

  /** From here on it has a file. */
  async #spill(): Promise<void> {
    if (this.#spilled) return;
    await this.#guard(async () => {
      this.#handle = await this.#place.open("wx+");
      this.#spilled = true;
      await this.#note(this.#noted);
    });
  }

  /** Bytes from here on are written over: what its note vouches for must be true after a power cut as well. */
  async #disturb(position: number): Promise<void> {
    const { gapless, synced } = this.#noted;
    if (synced !== null && position < synced.size) await this.#note({ gapless, synced: null }, false, true);
  }

  /** One that vouches for what is on the disk for good takes the place of no other before it is there for good itself. */
  async #note(noted: Noted, whole = false, durably = noted.synced !== null): Promise<void> {
    await this.#place.write(noted, whole, durably);
    this.#noted = noted;
  }

  /** Resolves when what was gathered is in flight, and what was in flight has landed. */
  async #flush(): Promise<void> {
    await this.#spill();
    await this.#flying;
    if (this.#fault !== undefined) throw this.#fault;
    const block = this.#block;
    const bytes = this.#held;
    if (block === undefined || bytes === 0) return;
    const position = this.#from;
    this.#block = undefined;
    this.#held = 0;
    this.#from += bytes;
    this.#inFlight = bytes;
    const handle = await this.#guard(() => this.#open());
    const piece = block.subarray(0, bytes);
    this.#flying = writeAll(handle, piece, position)
      .then(() => this.#written(handle, bytes))
      .catch((error: unknown) => {
        this.#fault ??= lakeFault(error, this.#place.file);
      })
      .finally(() => BLOCKS.give(block));
    // The disk and the digest work on it side by side.
    this.#hash?.update(piece);
  }

  /** A block with room for some of so many bytes: small files have one that fits, so that many of them may wait in memory. */
  async #room(bytes: number): Promise<Buffer> {
    if (this.#block !== undefined && this.#held < this.#block.length) return this.#block;
    const wanted = this.#held + bytes;
    if (!this.#spilled && wanted < BLOCKS.size) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, Math.min(2 * this.#held, BLOCKS.size - 1)));
      this.#block?.copy(grown, 0, 0, this.#held);
      this.#block = grown;
      return grown;
    }
    const whole = BLOCKS.take();
    if (!this.#spilled && this.#block !== undefined && this.#held < whole.length) {
      this.#block.copy(whole, 0, 0, this.#held);
      this.#block = whole;
      return whole;
    }
    BLOCKS.give(whole);
    await this.#flush();
    this.#block = BLOCKS.take();
    return this.#block;
  }

  #inBlock(): Buffer {
    return this.#block?.subarray(0, this.#held) ?? Buffer.alloc(0);
  }

  #drop(): void {
    if (this.#block !== undefined) BLOCKS.give(this.#block);
    this.#block = undefined;
    this.#held = 0;
  }

  #written(handle: FileHandle, bytes: number): void {
    this.#inFlight = 0;
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_EVERY || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    this.#syncing = handle
      .datasync()
      // An error that the system tells once must not be forgotten.
      .catch((error: unknown) => {
        this.#fault ??= lakeFault(error, this.#place.file);
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  /** Nothing is gathered or in flight any more. */
  async #land(): Promise<void> {
    if (this.#held > 0) await this.#flush();
    await this.#flying;
    await this.#syncing;
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await this.#place.open("r+");
    return this.#handle;
  }

  async #close(): Promise<void> {
    await this.#syncing;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#fault ??= lakeFault(error, this.#place.file);
      throw this.#fault;
    }
  }
}

/** A nearly full disk takes a part of it, and says why at the next call. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}
