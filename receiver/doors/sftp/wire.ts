/**
 * SFTP version 3 as it stands on the wire (draft-ietf-secsh-filexfer-02): what a client asks, what we answer. Names and
 * handles are bytes throughout. Nothing here knows of files.
 */

/** Section 3. */
export const REQUEST = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  extended: 200,
} as const;

const ANSWER = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extendedReply: 201,
} as const;

/** Section 7. Version 3 knows no others. */
export const STATUS = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

/** Section 6.3. */
export const OPEN = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

/** Section 5. Times in seconds since 1970. */
export interface Attributes {
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly permissions?: number;
  readonly accessed?: number;
  readonly modified?: number;
}

const HAS = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x80000000 } as const;

export type Request = { readonly id: number } & (
  | { readonly kind: "open"; readonly path: Buffer; readonly flags: number; readonly attributes: Attributes }
  | { readonly kind: "close"; readonly handle: Buffer }
  | { readonly kind: "fstat" | "readdir" | "fsync"; readonly handle: Buffer }
  | { readonly kind: "read"; readonly handle: Buffer; readonly offset: number; readonly length: number }
  | { readonly kind: "write"; readonly handle: Buffer; readonly offset: number; readonly bytes: Buffer }
  | {
      readonly kind: "lstat" | "stat" | "opendir" | "remove" | "rmdir" | "realpath" | "readlink";
      readonly path: Buffer;
    }
  | { readonly kind: "setstat" | "mkdir"; readonly path: Buffer; readonly attributes: Attributes }
  | { readonly kind: "fsetstat"; readonly handle: Buffer; readonly attributes: Attributes }
  /** `replace`: posix-rename, which takes the place of what is there. */
  | { readonly kind: "rename"; readonly from: Buffer; readonly to: Buffer; readonly replace: boolean }
  | { readonly kind: "symlink"; readonly from: Buffer; readonly to: Buffer }
  | { readonly kind: "limits" }
  | { readonly kind: "unknown"; readonly what: string }
);

/** A packet that cannot be read: nothing behind it can be trusted either. */
export class MalformedPacket extends Error {}
/** One that can, and names a byte that no file has. */
class BeyondAnyFile extends Error {}

class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  uint32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  /** Beyond 2^53 no file ends, and no number is exact. */
  uint64(): number {
    const value = this.uint32() * 2 ** 32 + this.uint32();
    if (!Number.isSafeInteger(value)) throw new BeyondAnyFile("an offset or size above 2^53");
    return value;
  }

  string(): Buffer {
    const length = this.uint32();
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = flags & HAS.size ? this.uint64() : undefined;
    const owner = flags & HAS.owner ? { uid: this.uint32(), gid: this.uint32() } : {};
    const permissions = flags & HAS.permissions ? { permissions: this.uint32() } : {};
    const times = flags & HAS.times ? { accessed: this.uint32(), modified: this.uint32() } : {};
    if ((flags & HAS.extended) !== 0) {
      for (let count = this.uint32(); count > 0; count -= 1) {
        this.string();
        this.string();
      }
    }
    return { ...(size === undefined ? {} : { size }), ...owner, ...permissions, ...times };
  }

  #need(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new MalformedPacket("it ends too early");
  }
}

/** `packet` without its length. Throws MalformedPacket. */
export function readRequest(packet: Buffer): Request {
  const reader = new Reader(packet, 1);
  const id = reader.uint32();
  try {
    return readBehind(id, packet[0], reader);
  } catch (error) {
    if (error instanceof BeyondAnyFile) return { id, kind: "unknown", what: error.message };
    throw error;
  }
}

function readBehind(id: number, type: number | undefined, reader: Reader): Request {
  switch (type) {
    case REQUEST.open:
      return {
        id,
        kind: "open",
        path: reader.string(),
        flags: reader.uint32(),
        attributes: reader.attributes(),
      };
    case REQUEST.close:
      return { id, kind: "close", handle: reader.string() };
    case REQUEST.read:
      return { id, kind: "read", handle: reader.string(), offset: reader.uint64(), length: reader.uint32() };
    case REQUEST.write:
      return { id, kind: "write", handle: reader.string(), offset: reader.uint64(), bytes: reader.string() };
    case REQUEST.lstat:
      return { id, kind: "lstat", path: reader.string() };
    case REQUEST.fstat:
      return { id, kind: "fstat", handle: reader.string() };
    case REQUEST.setstat:
      return { id, kind: "setstat", path: reader.string(), attributes: reader.attributes() };
    case REQUEST.fsetstat:
      return { id, kind: "fsetstat", handle: reader.string(), attributes: reader.attributes() };
    case REQUEST.opendir:
      return { id, kind: "opendir", path: reader.string() };
    case REQUEST.readdir:
      return { id, kind: "readdir", handle: reader.string() };
    case REQUEST.remove:
      return { id, kind: "remove", path: reader.string() };
    case REQUEST.mkdir:
      return { id, kind: "mkdir", path: reader.string(), attributes: reader.attributes() };
    case REQUEST.rmdir:
      return { id, kind: "rmdir", path: reader.string() };
    case REQUEST.realpath:
      return { id, kind: "realpath", path: reader.string() };
    case REQUEST.stat:
      return { id, kind: "stat", path: reader.string() };
    case REQUEST.rename:
      return { id, kind: "rename", from: reader.string(), to: reader.string(), replace: false };
    case REQUEST.readlink:
      return { id, kind: "readlink", path: reader.string() };
    case REQUEST.symlink:
      return { id, kind: "symlink", from: reader.string(), to: reader.string() };
    case REQUEST.extended:
      return readExtended(id, reader);
    default:
      return { id, kind: "unknown", what: `packet type ${type}` };
  }
}

/** OpenSSH's PROTOCOL, 4.3 and on. */
function readExtended(id: number, reader: Reader): Request {
  const name = reader.string().toString("latin1");
  switch (name) {
    case "posix-rename@openssh.com":
      return { id, kind: "rename", from: reader.string(), to: reader.string(), replace: true };
    case "fsync@openssh.com":
      return { id, kind: "fsync", handle: reader.string() };
    case "limits@openssh.com":
      return { id, kind: "limits" };
    case "lsetstat@openssh.com":
      return { id, kind: "setstat", path: reader.string(), attributes: reader.attributes() };
    default:
      return { id, kind: "unknown", what: name.slice(0, 100) };
  }
}

/** What `limits@openssh.com` says; and no packet may be longer than the first. */
export const LIMITS = { packet: 256 * 1024, read: 255 * 1024, write: 255 * 1024 } as const;

const EXTENSIONS = [
  ["posix-rename@openssh.com", "1"],
  ["fsync@openssh.com", "1"],
  ["limits@openssh.com", "1"],
  ["lsetstat@openssh.com", "1"],
] as const;

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const uint64 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const string = (value: Buffer | string): Buffer[] => {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return [uint32(bytes.length), bytes];
};

function packet(type: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  return Buffer.concat([uint32(length), Buffer.from([type]), ...parts], length + 4);
}

export const versionAnswer = (): Buffer =>
  packet(ANSWER.version, [
    uint32(3),
    ...EXTENSIONS.flatMap(([name, value]) => [...string(name), ...string(value)]),
  ]);

/** The words are what a sender reads of it, where his program shows them. */
export const statusAnswer = (id: number, status: Status, words: string): Buffer =>
  packet(ANSWER.status, [uint32(id), uint32(status), ...string(words), ...string("en")]);

export const handleAnswer = (id: number, handle: Buffer): Buffer =>
  packet(ANSWER.handle, [uint32(id), ...string(handle)]);

/** What stands before the bytes, so that they need not be copied. */
export const dataHead = (id: number, length: number): Buffer => {
  const head = Buffer.allocUnsafe(13);
  head.writeUInt32BE(length + 9, 0);
  head[4] = ANSWER.data;
  head.writeUInt32BE(id, 5);
  head.writeUInt32BE(length, 9);
  return head;
};

export const attributesAnswer = (id: number, attributes: Attributes): Buffer =>
  packet(ANSWER.attrs, [uint32(id), ...attributeBytes(attributes)]);

export interface Name {
  readonly name: Buffer;
  /** What `ls -l` prints before the name; ASCII. */
  readonly line: string;
  readonly attributes: Attributes;
}

/** Into one buffer: folders have names by the hundred thousand. */
export function nameAnswer(id: number, names: readonly Name[]): Buffer {
  let length = 13;
  for (const { name, line, attributes } of names)
    length += 8 + 2 * name.length + line.length + attributesLength(attributes);
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(length - 4, 0);
  bytes[4] = ANSWER.name;
  bytes.writeUInt32BE(id >>> 0, 5);
  bytes.writeUInt32BE(names.length, 9);
  let at = 13;
  for (const { name, line, attributes } of names) {
    at = bytes.writeUInt32BE(name.length, at);
    at += name.copy(bytes, at);
    at = bytes.writeUInt32BE(line.length + name.length, at);
    at += bytes.write(line, at, "latin1");
    at += name.copy(bytes, at);
    at = writeAttributes(bytes, at, attributes);
  }
  return bytes;
}

export const limitsAnswer = (id: number, handles: number): Buffer =>
  packet(ANSWER.extendedReply, [
    uint32(id),
    ...[LIMITS.packet, LIMITS.read, LIMITS.write, handles].map(uint64),
  ]);

function attributeBytes(attributes: Attributes): Buffer[] {
  const bytes = Buffer.allocUnsafe(attributesLength(attributes));
  writeAttributes(bytes, 0, attributes);
  return [bytes];
}

function attributesLength({ size, uid, permissions, modified }: Attributes): number {
  return (
    4 +
    (size === undefined ? 0 : 8) +
    (uid === undefined ? 0 : 8) +
    (permissions === undefined ? 0 : 4) +
    (modified === undefined ? 0 : 8)
  );
}

/** Gives where it ends. */
function writeAttributes(bytes: Buffer, from: number, attributes: Attributes): number {
  const { size, uid, gid, permissions, accessed, modified } = attributes;
  const flags =
    (size === undefined ? 0 : HAS.size) |
    (uid === undefined ? 0 : HAS.owner) |
    (permissions === undefined ? 0 : HAS.permissions) |
    (modified === undefined ? 0 : HAS.times);
  let at = bytes.writeUInt32BE(flags, from);
  if (size !== undefined) {
    at = bytes.writeUInt32BE(Math.floor(size / 2 ** 32), at);
    at = bytes.writeUInt32BE(size % 2 ** 32, at);
  }
  if (uid !== undefined) {
    at = bytes.writeUInt32BE(uid, at);
    at = bytes.writeUInt32BE(gid ?? uid, at);
  }
  if (permissions !== undefined) at = bytes.writeUInt32BE(permissions, at);
  if (modified !== undefined) {
    at = bytes.writeUInt32BE(accessed ?? modified, at);
    at = bytes.writeUInt32BE(modified, at);
  }
  return at;
}
