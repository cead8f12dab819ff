/** A file of a folder, opened for reading: the handle is what was checked, whatever happens to the name meanwhile. */
import { type BigIntStats, constants, promises } from "node:fs";
import { join, within } from "./bytes.ts";
import type { Disk } from "./disk.ts";
import type { Opened, OpenFile, Unseen } from "./source.ts";
import type { FileState } from "./state.ts";

interface Place {
  readonly root: Buffer;
  readonly path: Buffer;
  readonly absolute: Buffer;
}

/** What two looks at a file say to this source. */
export interface Looking {
  stateOf(stats: BigIntStats): FileState;
  /** Whether both met one file. */
  same(a: BigIntStats, b: BigIntStats): boolean;
  /** What an error of reading means here. */
  unread(error: unknown): Promise<Error>;
}

export const LINKED = "a link is on the way to it: links are not followed";

export function linked(path: Buffer): Unseen {
  return { path, reason: LINKED, code: undefined, absent: true };
}

/** Throws what `open` throws; anything but a regular file that has this very name is closed again at once. */
export async function openedFile(disk: Disk, place: Place, looking: Looking): Promise<Opened> {
  const handle = await disk.open(place.absolute);
  try {
    const stats = await handle.stat({ bigint: true });
    const refused: Opened | undefined = stats.isFile()
      ? await elsewhere(disk, handle, stats, place, looking)
      : { kind: "gone" };
    if (refused === undefined) return { kind: "open", file: openFile(disk, handle, stats, place, looking) };
    await handle.close();
    return refused;
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw error;
  }
}

/** What was opened is not what stands under this name: another name led to it, or it was taken away meanwhile. */
async function elsewhere(
  disk: Disk,
  handle: promises.FileHandle,
  opened: BigIntStats,
  place: Place,
  { same }: Looking,
): Promise<Opened | undefined> {
  const rootReal = await disk.realPath(place.root);
  const expected = join(rootReal, place.path);
  const real = await realPathOf(disk, handle, place);
  if (real.equals(expected)) return undefined;
  if (!(await disk.realPath(place.absolute)).equals(expected))
    return { kind: "unseen", unseen: linked(place.path) };
  // A file system that ignores case keeps the spelling that it was first asked by: the same file, in the same source.
  const named = await disk.lstat(place.absolute);
  return within(real, rootReal) && same(named, opened) ? undefined : { kind: "gone" };
}

function openFile(
  disk: Disk,
  handle: promises.FileHandle,
  opened: BigIntStats,
  place: Place,
  { stateOf, same, unread }: Looking,
): OpenFile {
  return {
    state: stateOf(opened),
    async recheck() {
      const [now, named] = await Promise.all([
        handle.stat({ bigint: true }),
        disk.lstat(place.absolute).catch(() => undefined),
      ]);
      return named !== undefined && same(named, now) ? stateOf(now) : undefined;
    },
    async read(into, position) {
      try {
        return (await handle.read(into, 0, into.length, position)).bytesRead;
      } catch (error) {
        throw await unread(error);
      }
    },
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
