/**
 * Reads a tar stream entry by entry, as it comes. Whatever the stream says, memory is bounded: extended headers by
 * MOST_EXTENDED bytes before an entry, contents by whoever takes them. A stream that ends anywhere but behind its
 * end block was cut, and says so.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { BLOCK, type Header, padding, readHeader, readPax } from "@tributary/shared/tar.ts";

/** Longest paths are 4,096 bytes; access lists and attributes of foreign systems have room too. */
const MOST_EXTENDED = 2 ** 20;

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
  #globals = new Map<string, Buffer>();
  /** What the source threw: it does not say it twice. */
  #failure: { readonly error: unknown } | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next entry, what was not taken of the one before being passed over; undefined behind the last. Throws `bundle-invalid`. */
  async next(): Promise<TarEntry | undefined> {
    await this.#skip(this.#left + this.#padding);
    this.#left = this.#padding = 0;
    let local = new Map<string, Buffer>();
    let extended = 0;
    for (;;) {
      if (!(await this.#has(1)))
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
      extended += header.size;
      if (extended > MOST_EXTENDED)
        throw new ProblemError(
          "bundle-invalid",
          `before entry ${this.#number + 1} stand more than ${MOST_EXTENDED} bytes of extended headers`,
        );
      const bytes = Buffer.from(await this.#take(header.size, "in an extended header"));
      await this.#skip(padding(header.size));
      if (header.type === "L") local.set("path", untilNul(bytes));
      if (header.type === "x") local = new Map([...local, ...this.#pax(bytes)]);
      if (header.type === "g") this.#globals = bounded(new Map([...this.#globals, ...this.#pax(bytes)]));
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
      if (!(await this.#has(1)))
        throw cut(`in entry ${this.#number}, ${this.#name}, ${this.#left} bytes before its end`);
      const piece = this.#chunk.subarray(this.#at, this.#at + this.#left);
      this.#at += piece.length;
      this.#left -= piece.length;
      yield piece;
    }
  }

  async #entry(header: Header, block: Buffer, local: Map<string, Buffer>): Promise<TarEntry> {
    const records = this.#globals.size === 0 ? local : new Map([...this.#globals, ...local]);
    this.#number += 1;
    const name = records.get("path") ?? header.name;
    this.#name = name.toString("utf8").slice(0, 200);
    const sparse = header.type === "S" || [...records.keys()].some((key) => key.startsWith("GNU.sparse."));
    const size = sizeOf(header, records);
    if (size === undefined)
      throw new ProblemError(
        "bundle-invalid",
        `the size of entry ${this.#number}, ${this.#name}, cannot be read`,
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

  #pax(bytes: Buffer): Map<string, Buffer> {
    const records = readPax(bytes);
    if (records !== undefined) return records;
    throw new ProblemError(
      "bundle-invalid",
      `the extended header behind entry ${this.#number} cannot be read`,
    );
  }

  /** Behind the end only zeros may follow: what else does would be files that nobody took. */
  async #end(): Promise<void> {
    while (await this.#has(1)) {
      for (; this.#at < this.#chunk.length; this.#at += 1)
        if (this.#chunk[this.#at] !== 0)
          throw new ProblemError(
            "bundle-invalid",
            `something follows behind the end of the tar stream (several tars in a row?); entries up to ${this.#number} were taken, the rest was not`,
          );
    }
  }

  /** Exactly this many bytes, valid until more are asked for. */
  async #take(count: number, where: string): Promise<Buffer> {
    if (this.#chunk.length - this.#at < count && !(await this.#has(count)))
      throw cut(`${where} behind entry ${this.#number}`);
    const bytes = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    return bytes;
  }

  async #skip(count: number): Promise<void> {
    let left = count;
    for (;;) {
      const here = Math.min(left, this.#chunk.length - this.#at);
      this.#at += here;
      left -= here;
      if (left === 0) return;
      if (!(await this.#has(1))) throw cut(`in entry ${this.#number}, ${this.#name}`);
    }
  }

  async #ask(): Promise<IteratorResult<Uint8Array>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      return await this.#source.next();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Whether so many bytes come before the end; what is here of them is copied, since it is not valid any more then. */
  async #has(count: number): Promise<boolean> {
    while (this.#chunk.length - this.#at < count) {
      const rest = Buffer.from(this.#chunk.subarray(this.#at));
      const { value, done } = await this.#ask();
      if (done === true) {
        this.#chunk = rest;
        this.#at = 0;
        return false;
      }
      const next = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#chunk = rest.length === 0 ? next : Buffer.concat([rest, next]);
      this.#at = 0;
    }
    return true;
  }
}

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

/** Undefined when it cannot be one. */
function sizeOf(header: Header, records: ReadonlyMap<string, Buffer>): number | undefined {
  if (WITHOUT_CONTENT.includes(header.type)) return 0;
  const stated = records.get("size")?.toString("latin1");
  if (stated === undefined) return header.size;
  const size = Number(stated);
  return /^\d{1,16}$/.test(stated) && Number.isSafeInteger(size) ? size : undefined;
}

function mtimeOf(header: Header, records: ReadonlyMap<string, Buffer>): bigint {
  const stated = records.get("mtime")?.toString("latin1") ?? "";
  const [, sign, whole, fraction = ""] = /^(-?)(\d{1,15})(?:\.(\d+))?$/.exec(stated) ?? [];
  if (whole === undefined) return BigInt(header.mtime) * 1_000_000_000n;
  const ns = BigInt(whole) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

/** Records for all entries that follow stay as long as the stream does. */
function bounded(globals: Map<string, Buffer>): Map<string, Buffer> {
  let bytes = 0;
  for (const [name, value] of globals) bytes += name.length + value.length;
  if (bytes <= MOST_EXTENDED) return globals;
  throw new ProblemError("bundle-invalid", `the global headers have more than ${MOST_EXTENDED} bytes`);
}

const untilNul = (bytes: Buffer): Buffer =>
  bytes.subarray(0, bytes.includes(0) ? bytes.indexOf(0) : bytes.length);

function cut(where: string): ProblemError {
  return new ProblemError(
    "bundle-invalid",
    `the tar stream ends ${where}; what has a receipt stays, send the rest again`,
  );
}
