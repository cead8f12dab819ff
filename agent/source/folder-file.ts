/** A file of a folder, opened for reading: the handle is what was checked, whatever happens to the name meanwhile. */
import { type BigIntStats, constants, promises } from "node:fs";
import { within } from "./bytes.ts";
import type { Disk } from "./disk.ts";
import type { FileState, Opened, OpenFile } from "./source.ts";

interface Place {
  readonly root: Buffer;
  readonly path: Buffer;
  readonly absolute: Buffer;
}

/** Throws what `open` throws; anything but a regular file inside the root is closed again at once. */
export async function openedFile(
  disk: Disk,
  place: Place,
  stateOf: (stats: BigIntStats) => FileState,
): Promise<Opened> {
  const handle = await disk.open(place.absolute);
  try {
    const stats = await handle.stat({ bigint: true });
    const reason = !stats.isFile()
      ? "it is not a regular file"
      : within(await realPathOf(disk, handle, place), await disk.realPath(place.root))
        ? undefined
        : "a link on the way leads out of the source";
    if (reason !== undefined) {
      await handle.close();
      return { kind: "unseen", unseen: { path: place.path, reason, code: undefined } };
    }
    return { kind: "open", file: openFile(disk, handle, stats, place, stateOf) };
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw error;
  }
}

function openFile(
  disk: Disk,
  handle: promises.FileHandle,
  opened: BigIntStats,
  place: Place,
  stateOf: (stats: BigIntStats) => FileState,
): OpenFile {
  return {
    state: stateOf(opened),
    async recheck() {
      const [now, named] = await Promise.all([
        handle.stat({ bigint: true }),
        disk.lstat(place.absolute).catch(() => undefined),
      ]);
      if (named === undefined || named.ino !== now.ino || named.dev !== now.dev) return undefined;
      return stateOf(now);
    },
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    async cloneTo(target) {
      if (process.platform !== "linux") return false;
      const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE;
      return await promises.copyFile(`/proc/self/fd/${handle.fd}`, target, mode).then(
        () => true,
        () => false,
      );
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Linux says where the handle itself points; elsewhere the name is asked, as close to the opening as can be. */
async function realPathOf(disk: Disk, handle: promises.FileHandle, place: Place): Promise<Buffer> {
  if (process.platform === "linux")
    return await promises.readlink(`/proc/self/fd/${handle.fd}`, { encoding: "buffer" });
  return await disk.realPath(place.absolute);
}
