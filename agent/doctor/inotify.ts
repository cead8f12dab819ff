/** Whether the kernel lets this account watch all the folders of the sources (inotify(7), /proc interfaces). */
import type { Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, ok, warn } from "./finding.ts";

/** Instances are used by every watching program of the account; a few must be left. */
const INSTANCES = 16;
/** Other programs of this account watch too. */
const SHARE_OF_WATCHES = 0.8;

export interface InotifyLimits {
  readonly watches: number;
  readonly instances: number;
}

/** Undefined where there is no inotify. */
export async function inotifyLimits(folder = "/proc/sys/fs/inotify"): Promise<InotifyLimits | undefined> {
  try {
    const read = async (name: string): Promise<number> => Number(await readFile(join(folder, name), "utf8"));
    return { watches: await read("max_user_watches"), instances: await read("max_user_instances") };
  } catch {
    return undefined;
  }
}

export function checkInotify(limits: InotifyLimits, folders: number): Finding {
  const todo = (key: string, value: number): string =>
    `raise it: echo fs.inotify.${key}=${value} > /etc/sysctl.d/60-tributary.conf && sysctl --system; until then rescans find the files`;
  if (folders > limits.watches * SHARE_OF_WATCHES)
    return warn(
      "inotify",
      `the sources have ${folders} folders, but this account may watch ${limits.watches} (fs.inotify.max_user_watches)`,
      todo("max_user_watches", 2 ** Math.ceil(Math.log2(folders * 2))),
    );
  if (limits.instances < INSTANCES)
    return warn(
      "inotify",
      `this account may hold only ${limits.instances} inotify instances (fs.inotify.max_user_instances)`,
      todo("max_user_instances", 128),
    );
  return ok("inotify", `${limits.watches} folders may be watched; the sources have ${folders}`);
}

/** Folders at and below these, counted up to `most`. Links are not followed; what cannot be read counts as one. */
export async function countFolders(roots: readonly string[], most: number): Promise<number> {
  const open = [...roots];
  let count = 0;
  for (let folder = open.pop(); folder !== undefined && count < most; folder = open.pop()) {
    count += 1;
    const entries: Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) open.push(join(folder, entry.name));
  }
  return count;
}
