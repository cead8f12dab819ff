/** What SFTP version 3 tells of a file, and how it stands on the wire. Times in seconds since 1970. */

/** Section 5. */
export interface Attributes {
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly permissions?: number;
  readonly accessed?: number;
  readonly modified?: number;
}

export const HAS = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x80000000 } as const;

export function attributesLength({ size, uid, permissions, modified }: Attributes): number {
  return (
    4 +
    (size === undefined ? 0 : 8) +
    (uid === undefined ? 0 : 8) +
    (permissions === undefined ? 0 : 4) +
    (modified === undefined ? 0 : 8)
  );
}

/** Gives where it ends. */
export function writeAttributes(bytes: Buffer, from: number, attributes: Attributes): number {
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
