/** What a client asks: packets read into requests. */
import { BeyondAnyFile, Fields } from "@tributary/shared/sftp/fields.ts";
import { REQUEST } from "@tributary/shared/sftp/words.ts";
import type { Request } from "./wire.ts";

/** `packet` without its length. Throws MalformedPacket. */
export function readRequest(packet: Buffer): Request {
  const reader = new Fields(packet, 1);
  const id = reader.uint32();
  try {
    return readBehind(id, packet[0], reader);
  } catch (error) {
    if (error instanceof BeyondAnyFile) return { id, kind: "unknown", what: error.message };
    throw error;
  }
}

function readBehind(id: number, type: number | undefined, reader: Fields): Request {
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
function readExtended(id: number, reader: Fields): Request {
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
