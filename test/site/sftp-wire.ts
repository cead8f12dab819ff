/**
 * SFTP version 3 as a client of the tests writes and reads it (draft-ietf-secsh-filexfer-02), by nothing of the
 * receiver's own code: names are bytes, numbers may be any, and what no good client sends can be sent.
 */

export const TYPE = {
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

export const OPEN = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

export const STATUS = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
} as const;

export interface Attributes {
  readonly size?: number | bigint;
  readonly permissions?: number;
  readonly modified?: number;
}

export interface Name {
  readonly name: Buffer;
  readonly long: Buffer;
  readonly attributes: Attributes;
}

export type Answer =
  | { readonly kind: "status"; readonly status: number; readonly words: string }
  | { readonly kind: "handle"; readonly handle: Buffer }
  | { readonly kind: "data"; readonly bytes: Buffer }
  | { readonly kind: "names"; readonly names: readonly Name[] }
  | { readonly kind: "attributes"; readonly attributes: Attributes }
  | { readonly kind: "extended"; readonly bytes: Buffer };

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
export const uint64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};
export const string = (value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([uint32(bytes.length), bytes]);
};
export const attributes = ({ size, permissions, modified }: Attributes = {}): Buffer =>
  Buffer.concat([
    uint32(
      (size === undefined ? 0 : 1) | (permissions === undefined ? 0 : 4) | (modified === undefined ? 0 : 8),
    ),
    ...(size === undefined ? [] : [uint64(size)]),
    ...(permissions === undefined ? [] : [uint32(permissions)]),
    ...(modified === undefined ? [] : [uint32(modified), uint32(modified)]),
  ]);

/** With its length in front. */
export function packet(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([type]), ...parts]);
  return Buffer.concat([uint32(body.length), body]);
}

/** What came, without its length. */
export function readAnswer(bytes: Buffer): { readonly id: number; readonly answer: Answer } {
  let at = 1;
  const number = (): number => {
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): Buffer => {
    const length = number();
    at += length;
    return Buffer.from(bytes.subarray(at - length, at));
  };
  const looks = (): Attributes => {
    const flags = number();
    const size = flags & 1 ? number() * 2 ** 32 + number() : undefined;
    if (flags & 2) at += 8;
    const permissions = flags & 4 ? number() : undefined;
    if (flags & 8) at += 4;
    const modified = flags & 8 ? number() : undefined;
    return {
      ...(size === undefined ? {} : { size }),
      ...(permissions === undefined ? {} : { permissions }),
      ...(modified === undefined ? {} : { modified }),
    };
  };
  const id = number();
  switch (bytes[0]) {
    case 101:
      return { id, answer: { kind: "status", status: number(), words: text().toString() } };
    case 102:
      return { id, answer: { kind: "handle", handle: text() } };
    case 103:
      return { id, answer: { kind: "data", bytes: text() } };
    case 104: {
      const names = Array.from({ length: number() }, () => ({
        name: text(),
        long: text(),
        attributes: looks(),
      }));
      return { id, answer: { kind: "names", names } };
    }
    case 105:
      return { id, answer: { kind: "attributes", attributes: looks() } };
    case 201:
      return { id, answer: { kind: "extended", bytes: bytes.subarray(at) } };
    default:
      throw new Error(`an answer of type ${bytes[0]}`);
  }
}
