/** Small files that must survive a crash: written beside, fsynced, renamed, and the folder fsynced. */
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "./folder.ts";
import { ProblemError } from "./problems.ts";

/** Whose a file is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Replaces the file in one step, with this mode whatever the umask; root gives it to the owner, where one is named.
 * Throws `disk-full`; the file is as it was then.
 */
export function writeDurably(file: string, text: string, mode = 0o600, owner?: Owner): void {
  try {
    replace(file, text, mode, owner);
  } catch (cause) {
    if (!/^(ENOSPC|EDQUOT)$/.test(String((cause as NodeJS.ErrnoException).code))) throw cause;
    throw new ProblemError(
      "disk-full",
      `cannot write ${file}: ${(cause as Error).message}; free space there`,
      { cause },
    );
  }
}

function replace(file: string, text: string, mode: number, owner: Owner | undefined): void {
  const fresh = `${file}.${process.pid}.tmp`;
  const fd = openSync(fresh, "w", mode);
  try {
    if (owner !== undefined && process.geteuid?.() === 0) fchownSync(fd, owner.uid, owner.gid);
    // What the umask took; a file that is its owner's alone has lost nothing to it.
    if ((mode & 0o077) !== 0 && process.platform !== "win32") fchmodSync(fd, mode);
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, file);
  syncFolder(dirname(file));
}
