/** What a client asks: packets read into requests. */
import { type Attributes, HAS, MalformedPacket, REQUEST, type Request } from "./wire.ts";

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
