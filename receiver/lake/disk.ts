/** What the lake needs of a file system, and when what it did there is durable. A parameter, so that tests see the order and make it fail. */
import fs from "node:fs/promises";
import { ProblemError } from "@tributary/shared/problems.ts";

export type Disk = Pick<
  typeof fs,
  | "open"
  | "mkdir"
  | "rename"
  | "rm"
  | "rmdir"
  | "readdir"
  | "opendir"
  | "lstat"
  | "stat"
  | "statfs"
  | "readFile"
  | "link"
  | "copyFile"
>;

export const realDisk: Disk = fs;

/** A failure of the disk as the problem that senders see: they keep the file and come again. */
export function lakeFault(error: unknown, what: string): ProblemError {
  if (error instanceof ProblemError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === "ENOSPC" || code === "EDQUOT" ? `its disk is full (${code})` : message;
  return new ProblemError("lake-unavailable", `the lake could not use ${what}: ${reason}`, { cause: error });
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** What whoever is not root may still use there. */
export async function freeBytes(folder: string, disk: Disk): Promise<number> {
  try {
    const { bavail, bsize } = await disk.statfs(folder);
    return bavail * bsize;
  } catch (error) {
    throw lakeFault(error, folder);
  }
}

/** fsync of a folder: what was created in it or renamed into it is there after a power cut. */
export async function syncFolder(disk: Disk, folder: string): Promise<void> {
  const handle = await disk.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * One fsync for many: a call is covered by a sync that *started* after it. When a sync fails, everybody who waits,
 * also for the next one, is refused: the system reports a lost write once, and the next success would be a lie.
 */
export function sharedSync(sync: (what: string) => Promise<void>): (what: string) => Promise<void> {
  interface Line {
    readonly running: Promise<void>;
    next: Promise<void> | undefined;
  }
  const lines = new Map<string, Line>();
  const start = (what: string): Promise<void> => {
    const running = sync(what);
    const line: Line = { running, next: undefined };
    lines.set(what, line);
    const forget = (): void => {
      if (lines.get(what) === line) lines.delete(what);
    };
    running.then(() => {
      if (line.next === undefined) forget();
    }, forget);
    return running;
  };
  return (what) => {
    const line = lines.get(what);
    if (line === undefined) return start(what);
    line.next ??= line.running.then(() => start(what));
    return line.next;
  };
}
