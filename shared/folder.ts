/** Folders whose own names survive a power cut: what lies in them is no safer than the name of the folder above. */
import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes the folder and those above it, and syncs every name on the way that it made. With `fresh` (what shall lie in
 * it is not there yet) also those that were there: a process may have made them that died before this. Of these, what
 * nobody lets us open is passed over. `sync` is a parameter for tests.
 */
export function makeFolder(
  folder: string,
  { mode, fresh }: { readonly mode?: number; readonly fresh: boolean },
  sync: (folder: string) => void = syncFolder,
): void {
  const first = makeAll(resolve(folder), mode);
  let ours = first !== undefined;
  if (!ours && !fresh) return;
  for (let at = resolve(folder); at !== dirname(at) && (ours || fresh); at = dirname(at)) {
    try {
      sync(dirname(at));
    } catch (error) {
      if (ours || !["EACCES", "EPERM"].includes(String((error as { code?: unknown }).code))) throw error;
    }
    if (at === first) ours = false;
  }
}

/**
 * The topmost folder that was made, or undefined. Node's own `recursive` never returns where a file system says of a
 * folder that is there that it is not (`/proc`).
 */
function makeAll(folder: string, mode: number | undefined): string | undefined {
  if (isFolder(folder)) return undefined;
  const above = dirname(folder);
  const first = above === folder ? undefined : makeAll(above, mode);
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    // Another process was faster.
    if (!isFolder(folder)) throw error;
    return first;
  }
  return first ?? folder;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** fsync of a folder: what was created in it or renamed into it is there after a power cut. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return; // a folder cannot be opened there; NTFS journals the rename
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
