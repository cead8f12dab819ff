/**
 * A journal makes many small objects durable with one sync: their bytes are appended to one file, which is synced, and
 * only then are they put where they belong, without a sync of their own. Until the system is known to have written
 * those places to the disk, the journal stays; after a crash it is replayed (`directory-replay.ts`).
 *
 * `.staging/journal/<owner>.<n>`: records one behind the other. A record is a line of JSON (keys and sizes), the
 * objects' bytes in that order, and the CRC-32 of both, 8 hex digits and a newline. A record that is not whole was
 * never acknowledged. Names and bytes of what is in the lake follow from the records alone.
 */
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { Small } from "./directory-tree.ts";
import { type Disk, lakeFault, syncFolder } from "./disk.ts";

/** A journal is closed when it has so many bytes or is so old, and settled then. */
const MOST_BYTES = 64 * 2 ** 20;
const OLDEST_MS = 30_000;

interface Current {
  readonly file: string;
  readonly handle: FileHandle;
  readonly since: number;
  bytes: number;
}

export class Journal {
  readonly #folder: string;
  readonly #owner: string;
  readonly #disk: Disk;
  readonly #mayMake: () => Promise<void>;
  readonly #now: () => number;
  #current: Current | undefined;
  #closed: string[] = [];
  #count = 0;

  /** `owner` names the process (`directory-replay.ts`). `mayMake` throws where nothing may be made now. `now`: ms that never jump. */
  constructor(
    root: string,
    owner: string,
    disk: Disk,
    mayMake: () => Promise<void>,
    now: () => number = () => performance.now(),
  ) {
    this.#folder = journalFolder(root);
    this.#owner = owner;
    this.#disk = disk;
    this.#mayMake = mayMake;
    this.#now = now;
  }

  /** Durable when it resolves. Throws `lake-unavailable`: then they are not to be put into the lake. */
  async append(objects: readonly Small[]): Promise<void> {
    const record = recordOf(objects);
    try {
      this.#current ??= await this.#open();
      const { handle } = this.#current;
      await writeAll(handle, record);
      await handle.datasync();
      this.#current.bytes += record.reduce((sum, { length }) => sum + length, 0);
    } catch (error) {
      // What is half written ends this file: nothing may stand behind it.
      await this.#close();
      throw lakeFault(error, this.#folder);
    }
    if (this.#current.bytes >= MOST_BYTES) await this.#close();
  }

  /** Closes what is due, and gives the journals that are closed and not settled. */
  async due(): Promise<readonly string[]> {
    if (this.#current !== undefined && this.#now() - this.#current.since >= OLDEST_MS) await this.#close();
    return [...this.#closed];
  }

  /** What these journals hold is on the disk: they go. */
  async settled(files: readonly string[]): Promise<void> {
    for (const file of files) await this.#disk.rm(file, { force: true });
    this.#closed = this.#closed.filter((file) => !files.includes(file));
  }

  async #open(): Promise<Current> {
    await this.#mayMake();
    await this.#disk.mkdir(this.#folder, { recursive: true });
    this.#count += 1;
    const file = join(this.#folder, `${this.#owner}.${this.#count}`);
    const handle = await this.#disk.open(file, "wx");
    try {
      for (const folder of [this.#folder, dirname(this.#folder)]) await syncFolder(this.#disk, folder);
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    return { file, handle, since: this.#now(), bytes: 0 };
  }

  async #close(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.#closed.push(current.file);
    await current.handle.close().catch(() => {});
  }
}

export const journalFolder = (root: string): string => join(root, ".staging", "journal");

const CRC_BYTES = 9;
const crcLine = (crc: number): Buffer => Buffer.from(`${crc.toString(16).padStart(8, "0")}\n`);

function recordOf(objects: readonly Small[]): readonly Uint8Array[] {
  const head = Buffer.from(`${JSON.stringify(objects.map(({ key, bytes }) => [key, bytes.length]))}\n`);
  const pieces = [head, ...objects.map(({ bytes }) => bytes)];
  return [...pieces, crcLine(pieces.reduce((crc, piece) => crc32(piece, crc), 0))];
}

/** The system may take a part of it at a time. */
async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const whole = Buffer.concat(pieces);
  for (let at = 0; at < whole.length; ) at += (await handle.write(whole, at, whole.length - at)).bytesWritten;
}

/** The objects of a journal, record by record; ends before what is not whole. */
export function* recordsOf(journal: Buffer): Generator<readonly Small[]> {
  for (let at = 0; at < journal.length; ) {
    const newline = journal.indexOf(0x0a, at);
    const sizes = newline === -1 ? undefined : parseHead(journal.toString("utf8", at, newline));
    if (sizes === undefined) return;
    const objects: Small[] = [];
    let from = newline + 1;
    for (const [key, size] of sizes) {
      objects.push({ key, bytes: journal.subarray(from, from + size) });
      from += size;
    }
    if (!journal.subarray(from, from + CRC_BYTES).equals(crcLine(crc32(journal.subarray(at, from))))) return;
    yield objects;
    at = from + CRC_BYTES;
  }
}

function parseHead(line: string): readonly (readonly [key: string, size: number])[] | undefined {
  try {
    const head: unknown = JSON.parse(line);
    const whole = Array.isArray(head) && head.every((one) => typeof one?.[0] === "string" && one[1] >= 0);
    return whole ? (head as [string, number][]) : undefined;
  } catch {
    return undefined;
  }
}
