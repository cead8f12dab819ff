/** What we answer: packets written, each with its length. */
import { type Attributes, HAS, LIMITS, type Name, type Status } from "./wire.ts";

const ANSWER = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extendedReply: 201,
} as const;

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
