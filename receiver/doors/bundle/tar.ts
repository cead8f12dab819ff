/**
 * Reads a tar stream entry by entry, as it comes. Whatever the stream says, memory is bounded: extended headers by
 * MOST_EXTENDED bytes before an entry, of which only the records that are used stay; contents by whoever takes them.
 * A stream that ends anywhere but behind its end block was cut, and says so.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { PAX } from "@tributary/shared/protocol.ts";
import { BLOCK, type Header, OCTAL_END, padding, readHeader, readPax } from "@tributary/shared/tar.ts";

/** Headers and all, before one entry: access lists and attributes of foreign systems have room too. */
const MOST_EXTENDED = 2 ** 20;
/** Of one record that is used; paths have 4,096 bytes at most. */
const MOST_RECORD = 64 * 2 ** 10;
/** Records that are used. Of the others a header may hold a hundred thousand. */
const USED: ReadonlySet<string> = new Set(["path", "size", "mtime", ...Object.values(PAX)]);
const SPARSE = "GNU.sparse.";

export interface TarEntry {
  /** The first is 1; what only describes the next entry does not count. */
  readonly number: number;
  /** As the tar names it. */
  readonly name: Buffer;
  readonly kind: "file" | "directory" | "other";
  /** Of what is no file, in words. */
  readonly what: string;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** The pax records in force for it. */
  readonly records: ReadonlyMap<string, Buffer>;
}

export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #number = 0;
  /** Of the current entry: bytes not taken yet, and the padding behind them. */
  #left = 0;
  #padding = 0;
  #name = "";
  #globals: Records = new Map();
  readonly #waits: () => void;
  /** What the source threw: it does not say it twice. */
  #failure: { readonly error: unknown } | undefined;

  /** `waits` is told when nothing more comes for now. */
  constructor(source: AsyncIterable<Uint8Array>, waits: () => void = () => {}) {
    this.#source = source[Symbol.asyncIterator]();
    this.#waits = waits;
  }

  /** The next entry, what was not taken of the one before being passed over; undefined behind the last. Throws `bundle-invalid`. */
  async next(): Promise<TarEntry | undefined> {
    await this.#skip(this.#left + this.#padding);
    this.#left = this.#padding = 0;
    let local: Records = new Map();
    let extended = 0;
    for (;;) {
      if (!(await this.#more()))
        throw cut(`after entry ${this.#number}, without the end that a whole one has`);
      const block = await this.#take(BLOCK, "in a header");
      const header = readHeader(block);
      if (header === "invalid")
        throw new ProblemError(
          "bundle-invalid",
          this.#number === 0 && extended === 0
            ? "the body is no tar stream: send what `tar c` writes, plain or as gzip or zstd"
            : `what follows entry ${this.#number} is no header of a tar`,
        );
      if (header === "end") {
        await this.#end();
        return undefined;
      }
      if (!EXTENDED.includes(header.type)) return await this.#entry(header, block, local);
      extended += BLOCK + header.size;
      if (extended > MOST_EXTENDED)
        throw new ProblemError(
          "bundle-invalid",
          `before entry ${this.#number + 1} stand more than ${MOST_EXTENDED} bytes of extended headers`,
        );
      const bytes = await this.#take(header.size, "in an extended header");
      if (header.type === "L") local = this.#merged(local, new Map([["path", untilNul(bytes)]]));
      if (header.type === "x") local = this.#merged(local, this.#pax(bytes));
      if (header.type === "g") this.#globals = this.#merged(this.#globals, this.#pax(bytes));
      await this.#skip(padding(header.size));
    }
  }

  /** Nothing more is read, and the source knows. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  /** The whole content of the current entry, in memory of its own. */
  async take(): Promise<Buffer> {
    const into = Buffer.allocUnsafeSlow(this.#left);
    let done = 0;
    for await (const piece of this.stream()) {
      into.set(piece, done);
      done += piece.length;
    }
    return into;
  }

  /** The content of the current entry; a piece is valid until the next one is asked for. */
  async *stream(): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      if (!(await this.#more()))
        throw cut(`in entry ${this.#number}, ${this.#name}, ${this.#left} bytes before its end`);
      const piece = this.#chunk.subarray(this.#at, this.#at + this.#left);
      this.#at += piece.length;
      this.#left -= piece.length;
      yield piece;
    }
  }

  async #entry(header: Header, block: Buffer, local: Records): Promise<TarEntry> {
    const records = this.#globals.size === 0 ? local : new Map([...this.#globals, ...local]);
    this.#number += 1;
    const name = records.get("path") ?? header.name;
    this.#name = name.toString("utf8").slice(0, 200);
    const sparse = header.type === "S" || records.has(SPARSE);
    const size = sizeOf(header, records, sparse);
    if (size === undefined)
      throw new ProblemError(
        "bundle-invalid",
        `the size of entry ${this.#number}, ${this.#name}, cannot be read, or its header and its records tell two`,
      );
    if (header.type === "S") await this.#sparseMap(block);
    this.#left = size;
    this.#padding = padding(size);
    const what = sparse
      ? "a sparse file"
      : (KINDS[header.type] ?? `an entry of type ${JSON.stringify(header.type)}`);
    const kind = what === "a file" ? "file" : what === "a folder" ? "directory" : "other";
    return { number: this.#number, name, kind, what, size, mtimeNs: mtimeOf(header, records), records };
  }

  /** GNU's old sparse files have blocks of their map between header and content. */
  async #sparseMap(header: Buffer): Promise<void> {
    for (let more = header[482] !== 0; more; )
      more = (await this.#take(BLOCK, "in a sparse file"))[504] !== 0;
  }

  #pax(bytes: Buffer): Records {
    let sparse = false;
    const records = readPax(bytes, (name) => {
      sparse ||= name.startsWith(SPARSE);
      return USED.has(name);
    });
    if (records !== undefined) return sparse ? records.set(SPARSE, Buffer.alloc(0)) : records;
    throw new ProblemError(
      "bundle-invalid",
      `the extended header behind entry ${this.#number} cannot be read`,
    );
  }

  #merged(before: Records, more: Records): Records {
    for (const [name, { length }] of more)
      if (length > MOST_RECORD)
        throw new ProblemError(
          "bundle-invalid",
          `before entry ${this.#number + 1} stands a record ${name} of ${length} bytes`,
        );
    return new Map([...before, ...more]);
  }

  /** Behind the end only zeros may follow: what else does would be files that nobody took. */
  async #end(): Promise<void> {
    while (await this.#more()) {
      for (; this.#at < this.#chunk.length; this.#at += 1)
        if (this.#chunk[this.#at] !== 0)
          throw new ProblemError(
            "bundle-invalid",
            `something follows behind the end of the tar stream (several tars in a row?); entries up to ${this.#number} were taken, the rest was not`,
          );
    }
  }

  /** Exactly this many bytes, valid until more are asked for; put together once, in however many pieces they come. */
  async #take(count: number, where: string): Promise<Buffer> {
    if (this.#chunk.length - this.#at >= count) {
      this.#at += count;
      return this.#chunk.subarray(this.#at - count, this.#at);
    }
    const bytes = Buffer.allocUnsafe(count);
    for (let done = 0; done < count; ) {
      if (!(await this.#more())) throw cut(`${where} behind entry ${this.#number}`);
      const copied = this.#chunk.copy(bytes, done, this.#at, this.#at + count - done);
      this.#at += copied;
      done += copied;
    }
    return bytes;
  }

  async #skip(count: number): Promise<void> {
    let left = count;
    for (;;) {
      const here = Math.min(left, this.#chunk.length - this.#at);
      this.#at += here;
      left -= here;
      if (left === 0) return;
      if (!(await this.#more())) throw cut(`in entry ${this.#number}, ${this.#name}`);
    }
  }

  /** Whether anything comes before the end. */
  async #more(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const { value, done } = await this.#ask();
      if (done === true) return false;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#at = 0;
    }
    return true;
  }

  async #ask(): Promise<IteratorResult<Uint8Array>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const late = setImmediate(this.#waits);
    try {
      return await this.#source.next();
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      clearImmediate(late);
    }
  }
}

type Records = Map<string, Buffer>;

/** Headers that only describe the next entry: pax's, and GNU's for long names. */
const EXTENDED = ["x", "g", "L", "K"];

const KINDS: Readonly<Record<string, string>> = {
  "0": "a file",
  "7": "a file",
  "5": "a folder",
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a character device",
  "4": "a block device",
  "6": "a pipe",
  S: "a sparse file",
};
/** Whatever their size says, nothing follows them. */
const WITHOUT_CONTENT = ["2", "3", "4", "5", "6"];

/** Undefined when it cannot be one. A record says what the header has no digits for: where it has, both must say the same. */
function sizeOf(header: Header, records: ReadonlyMap<string, Buffer>, sparse: boolean): number | undefined {
  if (WITHOUT_CONTENT.includes(header.type)) return 0;
  const stated = records.get("size")?.toString("latin1");
  if (stated === undefined) return header.size;
  const size = Number(stated);
  if (!/^\d{1,16}$/.test(stated) || !Number.isSafeInteger(size)) return undefined;
  return sparse || size >= OCTAL_END || size === header.size ? size : undefined;
}

function mtimeOf(header: Header, records: ReadonlyMap<string, Buffer>): bigint {
  const stated = records.get("mtime")?.toString("latin1") ?? "";
  const [, sign, whole, fraction = ""] = /^(-?)(\d{1,15})(?:\.(\d+))?$/.exec(stated) ?? [];
  if (whole === undefined) return BigInt(header.mtime) * 1_000_000_000n;
  const ns = BigInt(whole) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

const untilNul = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.subarray(0, bytes.includes(0) ? bytes.indexOf(0) : bytes.length));

function cut(where: string): ProblemError {
  return new ProblemError(
    "bundle-invalid",
    `the tar stream ends ${where}; what has a receipt stays, send the rest again`,
  );
}
