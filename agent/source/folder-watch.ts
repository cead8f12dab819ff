/**
 * Hints from the system, one watch per folder on Linux (names arrive as bytes, and a folder costs a watch, a file
 * nothing), one recursive watch elsewhere. Only hints: what is lost here, the next scan finds.
 */
import { type FSWatcher, watch } from "node:fs";
import { fromKey, join, key, lastSegment, parent, ROOT } from "./bytes.ts";
import { errorCode, inWords, slashed } from "./disk.ts";
import type { Hint } from "./source.ts";

export interface FolderWatch {
  /** Before a folder is listed, so that nothing falls between. Another `id` (device and inode) than before: it is another folder now. */
  cover(folder: Buffer, id: string): void;
  start(hint: Hint, failed: (reason: string) => void): () => Promise<void>;
}

/** The kernel drops events silently when its queue is full (16,384 by default): a burst like this may have lost some. */
const BURST = 4_000;
const BURST_MS = 1_000;
/** After a failure no new watch is tried for this long, doubling. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;
/** No folder's id. */
const UNKNOWN = "";

export function folderWatch(
  absolute: (path: Buffer) => Buffer,
  exists: (path: Buffer) => boolean,
  recursive = process.platform !== "linux",
): FolderWatch {
  const watchers = new Map<string, { readonly id: string; readonly watcher: FSWatcher }>();
  let hint: Hint | undefined;
  let failed: (reason: string) => void = () => undefined;
  let pausedUntil = 0;
  let pause = FIRST_PAUSE_MS;
  let burst = { since: Number.NEGATIVE_INFINITY, events: 0 };

  function fail(reason: string): void {
    pausedUntil = performance.now() + pause;
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    failed(reason);
    hint?.(undefined);
  }

  function close(folder: string): void {
    watchers.get(folder)?.watcher.close();
    watchers.delete(folder);
  }

  /** The folder of this name is another one now, or none: what was watched under it reports under a wrong name. */
  function renamed(path: Buffer): void {
    const at = key(path);
    if (!watchers.has(at)) return;
    for (const folder of watchers.keys()) if (folder === at || folder.startsWith(`${at}/`)) close(folder);
  }

  /**
   * Removed, moved or unmounted, a folder tells so once, as a change of its own name, and never anything again; a file of
   * that name in it does alike. Watched anew, whichever it was: the next listing knows which folder it is by now.
   */
  function maybeEnded(folder: Buffer, path: Buffer): void {
    close(key(folder));
    cover(folder, UNKNOWN);
    if (folder.length === 0 && !exists(path)) hint?.(undefined);
  }

  function happened(folder: Buffer, event: string, name: Buffer | null): void {
    const now = performance.now();
    if (now - burst.since > BURST_MS) burst = { since: now, events: 0 };
    burst.events += 1;
    if (burst.events === BURST) hint?.(undefined);
    const path = name === null ? folder : join(folder, name);
    if (name !== null && event === "rename") {
      renamed(path);
      if (!recursive && name.equals(lastSegment(absolute(folder)))) maybeEnded(folder, path);
    }
    hint?.(path.length === 0 ? undefined : path);
  }

  function cover(folder: Buffer, id: string): void {
    if (hint === undefined || performance.now() < pausedUntil) return;
    const at = recursive ? ROOT : folder;
    const before = watchers.get(key(at));
    if (before !== undefined) {
      if (before.id === id || at.length !== folder.length) return;
      close(key(at));
    }
    try {
      const watcher = watch(
        absolute(at),
        { encoding: "buffer", recursive, persistent: false },
        (event, name) => happened(at, event, name === null ? null : slashed(name)),
      );
      watchers.set(key(at), { id, watcher });
      watcher.on("error", (error) => {
        close(key(at));
        // A folder that is deleted while it is watched is an error on Windows only: its parent says the same.
        if (errorCode(error) === "EPERM" && at.length > 0) hint?.(parent(at));
        else fail(`watching stopped: ${inWords(error)}`);
      });
      pause = FIRST_PAUSE_MS;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      fail(
        errorCode(error) === "ENOSPC"
          ? `the system's limit of watched folders is reached at ${watchers.size}; raise fs.inotify.max_user_watches. The scans go on`
          : `${fromKey(key(at)).toString()} cannot be watched: ${inWords(error)}`,
      );
    }
  }

  return {
    cover,
    start(onHint, onFailed) {
      hint = onHint;
      failed = onFailed;
      return async () => {
        hint = undefined;
        for (const folder of watchers.keys()) close(folder);
      };
    },
  };
}
