/**
 * What journals hold is on the disk where it belongs, or is put there anew; then they go. The system tells once that it
 * lost a write, and forgets what it could not write.
 */
import type { Journal } from "./directory-journal.ts";
import { flushDisk, replay } from "./directory-replay.ts";
import type { Tree } from "./directory-tree.ts";
import type { Disk } from "./disk.ts";

/** `flush` is a parameter, so that tests make it fail. */
export function settler(
  journal: Pick<Journal, "due" | "settled">,
  tree: Tree,
  disk: Disk,
  flush: typeof flushDisk = flushDisk,
): () => Promise<void> {
  /** A write may be lost that was made since all was written for the last time. */
  let lost = false;
  return async () => {
    try {
      const files = await journal.due();
      if (files.length === 0) return;
      if (lost) await replay(tree, disk, files, true);
      await flush(tree, disk, files);
      lost = false;
      await journal.settled(files);
    } catch {
      // The journals stay, and the next time all of it is written anew.
      lost = true;
    }
  };
}
