/** `after:` in a folder of this host, or of a share that it has mounted. */
import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { chmod, copyFile, link, lstat, mkdir, open, rename, unlink, utimes } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { Hands } from "./after.ts";
import { parent } from "./bytes.ts";
import { errorCode, inWords, isGone } from "./disk.ts";
import { type FileState, STALE_MS } from "./state.ts";

const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

export const diskHands: Hands = {
  look: async (path) => stateOf(await lstat(path, { bigint: true })),
  rename,
  async place(from, to) {
    try {
      await linkOrCopy(from, to);
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
    await unlink(from);
    return true;
  },
  remove: unlink,
  // As open as the folder that the file comes from: the agent's own umask is not the client's.
  makeFolders: async (folder, like) => await makeFolders(folder, Number((await lstat(like)).mode) & 0o777),
  async sha256(path) {
    const hash = createHash("sha256");
    const handle = await open(path, READ_ONLY);
    await using stream = handle.createReadStream();
    for await (const chunk of stream) hash.update(chunk as Buffer);
    return hash.digest("hex");
  },
  isGone,
  inWords: (error) =>
    /^(EACCES|EPERM)$/.test(errorCode(error))
      ? `the system does not permit it (${errorCode(error)}): let the agent's account write to the folder, or choose after: keep`
      : inWords(error),
};

/**
 * A mount may tell of a name what it knew of the file that another host has replaced meanwhile: the newer one, which nobody
 * has captured, would be taken for it. Under its private name it is replaced no more, and to open it asks the server.
 */
export const shareHands: Hands = {
  ...diskHands,
  async lookAnew(path) {
    await setTimeout(STALE_MS);
    await using handle = await open(path, READ_ONLY);
    return stateOf(await handle.stat({ bigint: true }));
  },
};

function stateOf(stats: BigIntStats): FileState | undefined {
  if (!stats.isFile()) return undefined;
  const { size, mtimeNs, ctimeNs, ino } = stats;
  return { size: Number(size), mtimeNs, ctimeNs, fileId: ino };
}

async function makeFolders(folder: Buffer, mode: number): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) !== "ENOENT" || folder.length <= 1) throw error;
    await makeFolders(parent(folder), mode);
    return makeFolders(folder, mode);
  }
  await chmod(folder, mode);
}

/** A link never overwrites. Across file systems, and where there are none, a durable copy that never does either. */
async function linkOrCopy(from: Buffer, to: Buffer): Promise<void> {
  try {
    return await link(from, to);
  } catch (error) {
    if (!/^(EXDEV|EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/.test(errorCode(error))) throw error;
  }
  await copyFile(from, to, constants.COPYFILE_EXCL);
  try {
    const { atime, mtime } = await lstat(from);
    await utimes(to, atime, mtime);
    await using handle = await open(to, "r+");
    await handle.sync();
  } catch (error) {
    await unlink(to);
    throw error;
  }
}
