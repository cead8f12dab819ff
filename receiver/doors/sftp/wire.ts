/**
 * SFTP version 3 as it stands on the wire (draft-ietf-secsh-filexfer-02): its words, read by `wire-requests.ts` and
 * written by `wire-answers.ts`. Names and handles are bytes throughout. Nothing here knows of files.
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

export const HAS = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x80000000 } as const;

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

/** What `limits@openssh.com` says; and no packet may be longer than the first. */
export const LIMITS = { packet: 256 * 1024, read: 255 * 1024, write: 255 * 1024 } as const;

/** One of a folder. */
export interface Name {
  readonly name: Buffer;
  /** What `ls -l` prints before the name; ASCII. */
  readonly line: string;
  readonly attributes: Attributes;
}
