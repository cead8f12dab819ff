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
  const first = makeMissing(resolve(folder), mode);
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
 * Makes the folder and what is missing above it; gives the first that it made, undefined when all was there. Not by Node's
 * `recursive`: that never returns where a folder that is there takes no other (ENOENT in /proc). Throws the system's error.
 */
function makeMissing(folder: string, mode: number | undefined): string | undefined {
  const make = (): void => mkdirSync(folder, mode === undefined ? {} : { mode });
  let above: string | undefined;
  try {
    make();
    return folder;
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
    if ((error as { code?: unknown }).code !== "ENOENT" || dirname(folder) === folder) throw error;
    above = makeMissing(dirname(folder), mode);
  }
  try {
    make();
  } catch (error) {
    // Another process made it meanwhile.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
  return above ?? folder;
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
