/**
 * What journals hold is on the disk where it belongs, or is put there anew; then they go. The system tells whoever asks
 * first that it lost a write, and nobody else: so what one thread hears is counted for all.
 */
import type { Journal } from "./directory-journal.ts";
import { flushDisk, replay } from "./directory-replay.ts";
import type { Tree } from "./directory-tree.ts";
import type { Disk } from "./disk.ts";

/** `failures`: one number that all threads of a process share. `flush` is a parameter, so that tests make it fail. */
export function settler(
  journal: Pick<Journal, "due" | "settled">,
  tree: Tree,
  disk: Disk,
  failures: Int32Array,
  flush: typeof flushDisk = flushDisk,
): () => Promise<void> {
  /** So many there were when last all was written. */
  let believed = Atomics.load(failures, 0);
  return async () => {
    try {
      const files = await journal.due();
      if (files.length === 0) return;
      const known = Atomics.load(failures, 0);
      if (known !== believed) await replay(tree, disk, files, true);
      await flush(tree, disk, files);
      // Another heard of a lost write while we asked: it may be one of ours.
      if (Atomics.load(failures, 0) !== known) return;
      believed = known;
      await journal.settled(files);
    } catch {
      // The journals stay. What the system could not write it forgets, so the next time it is written anew.
      Atomics.add(failures, 0, 1);
    }
  };
}
