/** What we answer: packets written, each with its length. */
import { type Attributes, attributesLength, writeAttributes } from "@tributary/shared/sftp/attributes.ts";
import { ANSWER, type Status } from "@tributary/shared/sftp/words.ts";
import { LIMITS, type Name } from "./wire.ts";

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
