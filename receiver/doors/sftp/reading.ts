/** A version that an SFTP client has open to read: clients ask for one piece after the other, so one stream gives many. */
import type { Readable } from "node:stream";
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import type { Lake } from "../../lake/lake.ts";
import { attributesOf, type Look } from "./attributes.ts";
import type { Handle } from "./handles.ts";
import { refuse } from "./refusal.ts";
import { LIMITS } from "./wire.ts";

/** Bytes from here to the end; undefined: they are not there. */
type ReadFrom = (start: number) => Promise<Readable | undefined>;

export class Reading implements Handle {
  readonly what = "file to read";
  readonly #look: Look;
  readonly #from: ReadFrom;
  #stream: Readable | undefined;
  #chunks: AsyncIterator<Buffer> | undefined;
  #rest: Buffer = Buffer.alloc(0);
  /** Where `#rest` lies. */
  #at = 0;

  constructor(look: Look, from: ReadFrom) {
    this.#look = look;
    this.#from = from;
  }

  attributes(): Attributes {
    return attributesOf(this.#look);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const { size } = this.#look;
    if (offset >= size) throw refuse.end();
    const wanted = Math.min(length, LIMITS.read, size - offset);
    if (this.#chunks === undefined || offset !== this.#at) await this.#open(offset);
    const pieces: Buffer[] = [];
    let got = 0;
    while (got < wanted) {
      if (this.#rest.length === 0) {
        const next = await this.#next();
        if (next === undefined)
          throw refuse.failure(`lake-unavailable: the lake gives only ${offset + got} of ${size} bytes`);
        this.#rest = next;
      }
      const piece = this.#rest.subarray(0, wanted - got);
      this.#rest = this.#rest.subarray(piece.length);
      this.#at += piece.length;
      got += piece.length;
      pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, got);
  }

  async close(): Promise<string> {
    this.#end();
    return "";
  }

  async abandon(): Promise<void> {
    this.#end();
  }

  async #open(offset: number): Promise<void> {
    this.#end();
    const stream = await this.#from(offset);
    if (stream === undefined) throw refuse.failure("lake-unavailable: the lake does not give the file back");
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#at = offset;
  }

  /** A store may cut a stream that nobody read from for long: it is asked once more. */
  async #next(): Promise<Buffer | undefined> {
    for (let again = false; ; again = true) {
      try {
        const next = await this.#chunks?.next();
        return next === undefined || next.done === true ? undefined : next.value;
      } catch (error) {
        if (again) throw error;
        await this.#open(this.#at);
      }
    }
  }

  #end(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#chunks = undefined;
    this.#rest = Buffer.alloc(0);
  }
}

export function readVersion(lake: Pick<Lake, "read">, look: Look, key: string): Reading {
  return new Reading(look, (start) => lake.read(key, { start, end: look.size - 1 }));
}

/** A short text that is made for whoever asks. */
export class ReadingText implements Handle {
  readonly what = "file to read";
  readonly #look: Look;
  readonly #bytes: Buffer;

  constructor(look: Look, bytes: Buffer) {
    this.#look = look;
    this.#bytes = bytes;
  }

  attributes(): Attributes {
    return attributesOf(this.#look);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (offset >= this.#bytes.length) throw refuse.end();
    return this.#bytes.subarray(offset, offset + Math.min(length, LIMITS.read));
  }

  async close(): Promise<string> {
    return "";
  }

  async abandon(): Promise<void> {}
}
