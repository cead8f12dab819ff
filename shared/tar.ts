/**
 * Tar as a format: POSIX pax (IEEE Std 1003.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"), with
 * what GNU tar adds for long names and large numbers. Names are bytes. Both sides use it: the agent writes bundles,
 * the receiver reads them, and whatever else makes tars.
 */

/** Everything in a tar comes in blocks of this many bytes. */
export const BLOCK = 512;

/** What the 11 octal digits of a number in a header do not hold. */
export const OCTAL_END = 8 ** 11;

/** Bytes from `size` to the end of its last block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** What a header block says. */
export interface Header {
  /** As it stands in the block, prefix and name. */
  readonly name: Buffer;
  /** Bytes that follow. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** The type flag as a character; "0" for the old NUL. */
  readonly type: string;
}

/** "end": a block of zeros. "invalid": not a header of a tar. */
export function readHeader(block: Buffer): Header | "end" | "invalid" {
  if (!checksumFits(block)) return block.equals(ZEROS) ? "end" : "invalid";
  const size = number(block, 124, 12);
  const mtime = number(block, 136, 12);
  if (size === undefined || size < 0) return "invalid";
  const name = text(block, 0, 100);
  // GNU's own format has other things where ustar has its prefix.
  const posix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = posix ? text(block, 345, 155) : EMPTY;
  const flag = block[156] as number;
  const type = flag === 0 ? "0" : String.fromCharCode(flag);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, SLASH, name]),
    size,
    mtime: mtime ?? 0,
    // Seventh Edition tars have no type of their own for folders.
    type: type === "0" && size === 0 && name.at(-1) === 0x2f ? "5" : type,
  };
}

/**
 * The records of a pax extended header that are `wanted`, names as text, values as bytes of their own: of a header full
 * of others nothing stays. Undefined when it is not one.
 */
export function readPax(
  bytes: Buffer,
  wanted: (name: string) => boolean = () => true,
): Map<string, Buffer> | undefined {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? "" : bytes.toString("latin1", at, space);
    if (!/^[1-9]\d{0,9}$/.test(digits)) return undefined;
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals === -1 || equals >= end) return undefined;
    const name = bytes.toString("utf8", space + 1, equals);
    if (wanted(name)) records.set(name, Buffer.from(bytes.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}

export interface NewEntry {
  readonly path: Buffer;
  /** Less than 8 GiB: what is larger is no small file. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Further pax records. */
  readonly records: readonly (readonly [name: string, value: string])[];
}

/** The blocks before a file's bytes: a pax extended header with its records, and its own header. A path of over 100 bytes stands in a record. */
export function entryHead({ path, size, mtimeNs, records }: NewEntry): Buffer {
  const all: (readonly [string, string | Buffer])[] = [...records];
  const seconds = mtimeNs / NS - (mtimeNs < 0n && mtimeNs % NS !== 0n ? 1n : 0n);
  if (path.length > 100) all.push(["path", path]);
  all.push(["mtime", decimal(mtimeNs)]);
  const pax = Buffer.concat(all.map(([name, value]) => record(name, value)));
  const head = Buffer.alloc(2 * BLOCK + pax.length + padding(pax.length));
  writeBlock(head, { name: PAX_NAME, size: pax.length, mtime: 0, type: "x" });
  pax.copy(head, BLOCK);
  writeBlock(head.subarray(head.length - BLOCK), {
    name: path.subarray(0, 100),
    size,
    mtime: seconds < 0n || seconds >= BigInt(OCTAL_END) ? 0 : Number(seconds),
    type: "0",
  });
  return head;
}

/** What a tar ends with. */
export const TRAILER: Buffer = Buffer.alloc(2 * BLOCK);

const EMPTY = Buffer.alloc(0);
const ZEROS = Buffer.alloc(BLOCK);
const SLASH = Buffer.from("/");
const PAX_NAME = Buffer.from("pax");
const NS = 1_000_000_000n;
const CHECKSUM = 148;

function writeBlock(block: Buffer, { name, size, mtime, type }: Header): void {
  name.copy(block, 0);
  block.write("0000644\x000000000\x000000000\0", 100, "latin1");
  block.write(`${octal(size)} ${octal(mtime)} `, 124, "latin1");
  block.write(`        ${type}`, CHECKSUM, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  let sum = 0;
  for (let i = 0; i < BLOCK; i += 1) sum += block[i] as number;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM, "latin1");
}

const octal = (value: number): string => value.toString(8).padStart(11, "0");

/** `<length> <name>=<value>\n`, where the length counts its own digits. */
function record(name: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${name}=`), Buffer.from(value as string), NEWLINE]);
  let length = body.length + 1;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

const NEWLINE = Buffer.from("\n");

function decimal(ns: bigint): string {
  const sign = ns < 0n ? "-" : "";
  const whole = ns < 0n ? -ns : ns;
  const fraction = String(whole % NS)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${sign}${whole / NS}${fraction === "" ? "" : `.${fraction}`}`;
}

/** The sum of the block with blanks in the checksum's own place; old tars summed signed bytes. */
function checksumFits(block: Buffer): boolean {
  const stated = number(block, CHECKSUM, 8);
  if (stated === undefined) return false;
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let i = 0; i < BLOCK; i += 1) {
    if (i >= CHECKSUM && i < CHECKSUM + 8) continue;
    const byte = block[i] as number;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stated === unsigned || stated === signed;
}

/** Octal digits, or GNU's base 256, marked by the highest bit. Undefined when it is neither, or beyond what a number holds. */
function number(block: Buffer, from: number, length: number): number | undefined {
  const first = block[from] as number;
  if (first === 0x80 || first === 0xff) {
    let value = first === 0xff ? -1n : 0n;
    for (let i = from + 1; i < from + length; i += 1) value = value * 256n + BigInt(block[i] as number);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : undefined;
  }
  const digits = block.toString("latin1", from, from + length).replace(/^[ \0]+|[ \0]+$/g, "");
  if (digits === "") return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(block: Buffer, from: number, most: number): Buffer {
  const end = block.indexOf(0, from);
  return Buffer.from(block.subarray(from, end === -1 || end > from + most ? from + most : end));
}
