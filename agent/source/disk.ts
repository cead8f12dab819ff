/** The file system's calls that a folder source makes, so that a test can make them fail as they do in the wild. */
import {
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstat,
  lstatSync,
  openSync,
  promises,
  readlinkSync,
  readSync,
  realpath,
  realpathSync,
} from "node:fs";
import { shareOf } from "./mount.ts";

export interface Disk {
  /** What is in a folder, some at a time. `now`: only the first of each some is waited for without holding up everything; for local disks. */
  list(path: Buffer, now: boolean): AsyncIterable<readonly Dirent<Buffer>[]>;
  lstat(path: Buffer): Promise<BigIntStats>;
  /** The same while everything waits: three times as fast where the answer comes from memory. */
  lstatNow(path: Buffer): BigIntStats;
  /** Follows links. */
  stat(path: Buffer): Promise<BigIntStats>;
  realPath(path: Buffer): Promise<Buffer>;
  /** The same while everything waits; undefined where the system has no quick way. */
  realPathNow(path: Buffer): Buffer | undefined;
  /** Which share is mounted there, and which of its folders this is. */
  shareOf(path: Buffer): Promise<string>;
  /** For reading; never through a link, never waiting for a writer. */
  open(path: Buffer): Promise<promises.FileHandle>;
  /** All that opening, reading and looking again say of a small file, while everything waits; for local disks. Undefined where it is not a file of at most `most` bytes. */
  readNow(root: Buffer, path: Buffer, most: number): ReadNow | undefined;
}

/** Where the root and the opened file really are, the file's stats before and after the reading, and what its name leads to then. */
export interface ReadNow {
  readonly rootReal: Buffer;
  readonly real: Buffer;
  readonly before: BigIntStats;
  readonly after: BigIntStats;
  readonly named: BigIntStats;
  readonly bytes: Buffer;
}

/** Neither flag exists on Windows, where links need a right of their own and FIFOs do not lie in folders. */
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export const realDisk: Disk = {
  list: entriesOf,
  // The callback form: no promise machinery inside Node, and this is called once per file and scan.
  lstat: (path) =>
    new Promise((resolve, reject) =>
      lstat(path, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats))),
    ),
  lstatNow: (path) => lstatSync(path, { bigint: true }),
  stat: (path) => promises.stat(path, { bigint: true }),
  realPath: async (path) => slashed(await realPathOf(path)),
  realPathNow: (path) =>
    process.platform === "win32" ? undefined : realpathSync.native(path, { encoding: "buffer" }),
  shareOf,
  open: (path) => promises.open(path, READ_ONLY),
  readNow,
};

function readNow(root: Buffer, path: Buffer, most: number): ReadNow | undefined {
  // Elsewhere a handle does not say where it points.
  if (process.platform !== "linux" || !lstatSync(path).isFile()) return undefined;
  const rootReal = realpathSync.native(root, { encoding: "buffer" });
  const fd = openSync(path, READ_ONLY);
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile() || before.size > most) return undefined;
    const real = readlinkSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
    const bytes = Buffer.allocUnsafe(Number(before.size));
    let filled = 0;
    for (let got = -1; filled < bytes.length && got !== 0; filled += got)
      got = readSync(fd, bytes, filled, bytes.length - filled, filled);
    const after = fstatSync(fd, { bigint: true });
    const named = lstatSync(path, { bigint: true });
    return { rootReal, real, before, after, named, bytes: bytes.subarray(0, filled) };
  } finally {
    closeSync(fd);
  }
}

/**
 * The system's own look-up fails on paths of more than 260 characters (seen with Node 24 under Wine 10); the other one
 * of Node's follows the links itself, with calls that take them.
 */
async function realPathOf(path: Buffer): Promise<Buffer> {
  try {
    return await promises.realpath(path, { encoding: "buffer" });
  } catch (error) {
    if (process.platform !== "win32") throw error;
    return await new Promise((resolve, reject) =>
      realpath(path, { encoding: "buffer" }, (cause, found) => (cause ? reject(cause) : resolve(found))),
    );
  }
}

const ENTRIES = 1_000;

async function* entriesOf(path: Buffer, now: boolean): AsyncGenerator<Dirent<Buffer>[]> {
  // The types know no encoding of buffers here; Node does.
  const options = { encoding: "buffer" as BufferEncoding, bufferSize: ENTRIES };
  await using folder = await promises.opendir(path, options);
  const next = async (): Promise<Dirent<Buffer> | null> => (await folder.read()) as unknown as Dirent<Buffer>;
  const nextNow = (): Dirent<Buffer> | null => folder.readSync() as unknown as Dirent<Buffer>;
  for (let entry = await next(); entry !== null; entry = await next()) {
    const entries = [entry];
    while (entries.length < ENTRIES) {
      const more = now ? nextNow() : await next();
      if (more === null) break;
      entries.push(more);
    }
    yield entries;
  }
}

/** Windows gives backslashes; elsewhere a backslash is a character of the name. */
export function slashed(name: Buffer): Buffer {
  if (process.platform !== "win32") return name;
  return Buffer.from(name.toString("latin1").replaceAll("\\", "/"), "latin1");
}

export function errorCode(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}

/** The path, or a folder on the way to it, is not there. */
export function isGone(error: unknown): boolean {
  return /^(ENOENT|ENOTDIR)$/.test(errorCode(error));
}

export function inWords(error: unknown): string {
  const code = errorCode(error);
  return WORDS[code] ?? (error instanceof Error ? error.message : String(error));
}

const WORDS: Record<string, string> = {
  EACCES: "permission denied (EACCES): let the agent's account read it",
  EPERM: "the system does not permit it (EPERM): let the agent's account read it",
  EBUSY: "another program has it locked (EBUSY)",
  ETXTBSY: "it is being executed or written (ETXTBSY)",
  ENOENT: "it does not exist (ENOENT)",
  ENOTDIR: "it is not a folder (ENOTDIR)",
  ESTALE: "the share's handle is stale (ESTALE): mount it again",
  EIO: "the disk or share reports an error (EIO)",
  ENOTCONN: "the share is not connected (ENOTCONN)",
  EHOSTDOWN: "the share's server is down (EHOSTDOWN)",
  ETIMEDOUT: "the share's server does not answer (ETIMEDOUT)",
  EMFILE: "too many files are open (EMFILE)",
};
