/** What we ask: packets written, each with its length. */
import { type Attributes, attributesLength, writeAttributes } from "@tributary/shared/sftp/attributes.ts";

/** 32 bits, 64 bits, a string, attributes. */
export type Field = number | bigint | Buffer | Attributes;

function lengthOf(field: Field): number {
  if (typeof field === "number") return 4;
  if (typeof field === "bigint") return 8;
  return Buffer.isBuffer(field) ? 4 + field.length : attributesLength(field);
}

function write(bytes: Buffer, at: number, field: Field): number {
  if (typeof field === "number") return bytes.writeUInt32BE(field, at);
  if (typeof field === "bigint") return bytes.writeBigUInt64BE(field, at);
  if (!Buffer.isBuffer(field)) return writeAttributes(bytes, at, field);
  const begin = bytes.writeUInt32BE(field.length, at);
  return begin + field.copy(bytes, begin);
}

/** `type`: of shared/sftp/words.ts. For `init` the first number is the version, for all others the id. */
export function packet(type: number, fields: readonly Field[]): Buffer {
  const length = fields.reduce<number>((sum, field) => sum + lengthOf(field), 1);
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes.writeUInt32BE(length, 0);
  bytes[4] = type;
  let at = 5;
  for (const field of fields) at = write(bytes, at, field);
  return bytes;
}
