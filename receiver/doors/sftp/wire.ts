/**
 * SFTP version 3 as a server meets it (its words: shared/sftp): requests are read by `wire-requests.ts`, answers written
 * by `wire-answers.ts`. Names and handles are bytes throughout. Nothing here knows of files.
 */
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";

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

/** What `limits@openssh.com` says; and no packet may be longer than the first. */
export const LIMITS = { packet: 256 * 1024, read: 255 * 1024, write: 255 * 1024 } as const;

/** One of a folder. */
export interface Name {
  readonly name: Buffer;
  /** What `ls -l` prints before the name; ASCII. */
  readonly line: string;
  readonly attributes: Attributes;
}
