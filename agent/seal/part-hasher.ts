/**
 * The digests of a large file's parts, found while it is sealed, so that its bytes are read once more when they leave
 * and not hashed again: the receiver compares. A second thread hashes part by part what the first hashes as a whole,
 * from the same memory.
 */
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { partSizeFor } from "@tributary/shared/protocol.ts";

/** From this size on a file goes in parts, which resume where they were cut. */
export const IN_PARTS_FROM = 16 * 2 ** 20;
/** A thread for a smaller file costs more than it saves. */
export const BESIDE_FROM = 64 * 2 ** 20;
/** Read at once, twice: one is hashed while the other is read. */
const PIECE = 2 * 2 ** 20;
/** A thread that nobody needs ends: large files are rare at most clients. */
const REST_MS = 5_000;

/** The thread's whole program, as text: a bundle needs no second file. */
const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
const { createHash } = require("node:crypto");
const memory = Buffer.from(workerData);
let part = createHash("sha256");
parentPort.on("message", ({ from, to, last, anew }) => {
  if (anew) part = createHash("sha256");
  part.update(memory.subarray(from, to));
  parentPort.postMessage(last ? part.digest() : null);
  if (last) part = createHash("sha256");
});`;

/** One file's parts. Dispose of it: the next large file may have the thread then. */
export interface PartDigests extends Disposable {
  /** To read into, a half at a time: what the thread hashes must lie here. */
  readonly buffer: Buffer;
  /** Bytes from here to the end of the part that `position` lies in. */
  toPartEnd(position: number): number;
  /** The next bytes of the file, which lie in `buffer` from `from` to `to`. Resolves when they were hashed; never rejects. */
  add(from: number, to: number): Promise<void>;
  /** SHA-256 of each part, one after the other; undefined when the thread failed: they are hashed when they leave. */
  all(): Buffer | undefined;
}

interface Hashing {
  readonly buffer: Buffer;
  /** The digest of the part when these are its `last` bytes. */
  add(from: number, to: number, last: boolean): Promise<Uint8Array | null>;
  end(): void;
}

/** For all sources together: one thread at most, for one file at a time. */
export class PartHasher {
  #memory: SharedArrayBuffer | undefined;
  #thread: Worker | undefined;
  #taken = false;
  #resting: NodeJS.Timeout | undefined;

  /** Undefined for a file that goes whole. `buffer`: to read into where the thread is not worth it, or another file's. */
  begin(size: number, buffer: Buffer): PartDigests | undefined {
    const partSize = partSizeFor(size);
    if (size < IN_PARTS_FROM || partSize === undefined) return undefined;
    const hashing = size < BESIDE_FROM || this.#taken ? here(buffer) : this.#beside();
    const digests: Uint8Array[] = [];
    let at = 0;
    let failed = false;
    return {
      buffer: hashing.buffer,
      toPartEnd: (position) => partSize - (position % partSize),
      add: async (from, to) => {
        if (failed) return;
        at += to - from;
        try {
          const digest = await hashing.add(from, to, at % partSize === 0 || at === size);
          if (digest !== null) digests.push(digest);
        } catch {
          failed = true;
        }
      },
      all: () => (failed || at !== size ? undefined : Buffer.concat(digests)),
      [Symbol.dispose]: hashing.end,
    };
  }

  /** Takes the thread. */
  #beside(): Hashing {
    this.#taken = true;
    clearTimeout(this.#resting);
    this.#memory ??= new SharedArrayBuffer(2 * PIECE);
    this.#thread ??= this.#start(this.#memory);
    const thread = this.#thread;
    let anew = true;
    return {
      buffer: Buffer.from(this.#memory),
      add: (from, to, last) => {
        thread.postMessage({ from, to, last, anew });
        anew = false;
        return answerOf(thread);
      },
      end: () => {
        this.#taken = false;
        this.#resting = setTimeout(() => this.stop(), REST_MS).unref();
      },
    };
  }

  stop(): void {
    if (this.#taken) return;
    clearTimeout(this.#resting);
    void this.#thread?.terminate();
    this.#thread = undefined;
    this.#memory = undefined;
  }

  #start(memory: SharedArrayBuffer): Worker {
    const thread = new Worker(PROGRAM, {
      eval: true,
      workerData: memory,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    thread.unref();
    const gone = (): void => {
      if (this.#thread === thread) this.#thread = undefined;
    };
    thread.on("error", gone).on("exit", gone);
    return thread;
  }
}

/** In this thread. */
function here(buffer: Buffer): Hashing {
  let part = createHash("sha256");
  return {
    buffer,
    add: async (from, to, last) => {
      part.update(buffer.subarray(from, to));
      if (!last) return null;
      const digest = part.digest();
      part = createHash("sha256");
      return digest;
    },
    end: () => {},
  };
}

function answerOf(thread: Worker): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const off = (): void => {
      thread.off("message", answered).off("error", failed).off("exit", failed);
    };
    const answered = (digest: Uint8Array | null): void => {
      off();
      resolve(digest);
    };
    const failed = (): void => {
      off();
      reject(new Error("the hashing thread ended"));
    };
    thread.on("message", answered).on("error", failed).on("exit", failed);
  });
}
