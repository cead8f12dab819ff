/** A disk whose calls have happened when they return, for a thread that does nothing else: no call waits for a pool of threads. */
import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Disk } from "./disk.ts";

type Call = keyof Disk;
const at =
  <A extends unknown[], R>(call: (...args: A) => R) =>
  async (...args: A): Promise<R> =>
    call(...args);

/** Of a handle only what small objects need. */
function handleOf(fd: number): Pick<FileHandle, "write" | "writeFile" | "sync" | "datasync" | "close"> {
  return {
    write: (async (bytes: Uint8Array, offset: number, length: number) => ({
      bytesWritten: fs.writeSync(fd, bytes, offset, length),
      buffer: bytes,
    })) as FileHandle["write"],
    datasync: async () => fs.fdatasyncSync(fd),
    writeFile: async (bytes) => fs.writeFileSync(fd, bytes as Uint8Array),
    sync: async () => fs.fsyncSync(fd),
    close: async () => fs.closeSync(fd),
  };
}

export const synchronousDisk = {
  open: async (path: fs.PathLike, flags: string) => handleOf(fs.openSync(path, flags)),
  mkdir: at(fs.mkdirSync),
  rename: at(fs.renameSync),
  rm: at(fs.rmSync),
  rmdir: at(fs.rmdirSync),
  readdir: at(fs.readdirSync),
  opendir: at(fs.opendirSync),
  lstat: at(fs.lstatSync),
  stat: at(fs.statSync),
  statfs: at(fs.statfsSync),
  readFile: at(fs.readFileSync),
  link: at(fs.linkSync),
  copyFile: at(fs.copyFileSync),
} satisfies Record<Call, unknown> as unknown as Disk;
