/**
 * What a journal promised is made true: every object of it is where it belongs, with its bytes, and the system has
 * written that to the disk. For journals that a dead process left, and for those whose settling failed.
 */
import { execFile } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ProblemError } from "@tributary/shared/problems.ts";
import { journalFolder, recordsOf, type Small } from "./directory-journal.ts";
import type { Tree } from "./directory-tree.ts";
import { type Disk, hasCode, lakeFault, syncFolder } from "./disk.ts";

/** Which process a journal is of: this boot of the host, its space of process ids, its id there, and when it began. */
export interface Owner {
  readonly boot: string;
  readonly space: string;
  readonly pid: number;
  readonly began: string;
}

/** This process; undefined where the system does not say: then there are no journals. */
export function thisOwner(): Owner | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return {
      boot: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().slice(0, 8),
      space: readlinkSync("/proc/self/ns/pid").replace(/\D/g, ""),
      pid: process.pid,
      began: beganAt(process.pid) ?? "",
    };
  } catch {
    return undefined;
  }
}

/** What a journal's name begins with; more may stand behind it. */
export const ownerName = ({ boot, space, pid, began }: Owner): string => [boot, space, pid, began].join("-");

/** Written to every 30 s and replaced then: one that was not touched for so long has nobody. */
const ABANDONED_MS = 600_000;

/**
 * Whether nobody writes to it any more. Of a process in another space of ids of this boot one cannot tell: while the
 * host runs the system itself has what was written, so its journal may wait.
 */
export function isLeft(name: string, touchedAt: number, own: Owner, now: number): boolean {
  const [boot, space, pid, began] = (name.split(".")[0] ?? "").split("-");
  if (boot !== own.boot || now - touchedAt > ABANDONED_MS) return true;
  return space === own.space && beganAt(Number(pid)) !== began;
}

/** When a process began, in ticks since the boot (proc(5), stat, field 22); undefined when there is none. */
function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Replays the journals that dead processes left; gives how many objects were restored because they were not there whole. */
export async function replayLeft(tree: Tree, disk: Disk, own: Owner, now: number): Promise<number> {
  const folder = journalFolder(tree.root);
  const names = await disk.readdir(folder).catch(() => []);
  const left: string[] = [];
  for (const name of names) {
    const found = await disk.lstat(join(folder, name)).catch(() => undefined);
    if (found !== undefined && isLeft(name, found.mtimeMs, own, now)) left.push(join(folder, name));
  }
  if (left.length === 0) return 0;
  try {
    const restored = await replay(tree, disk, left, false);
    await flushDisk(tree, disk, left);
    for (const file of left) await disk.rm(file, { force: true });
    return restored;
  } catch (error) {
    throw lakeFault(error, folder);
  }
}

/** `anew`: whatever seems to be there already is not believed. Gives how many objects were written. */
export async function replay(
  tree: Tree,
  disk: Disk,
  journals: readonly string[],
  anew: boolean,
): Promise<number> {
  let restored = 0;
  for (const file of journals)
    for (const objects of recordsOf(await disk.readFile(file)))
      for (const object of objects)
        if (anew || !(await isThere(tree, disk, object))) {
          await restore(tree, disk, object);
          restored += 1;
        }
  return restored;
}

async function isThere(tree: Tree, disk: Disk, { key, bytes }: Small): Promise<boolean> {
  try {
    return (await disk.readFile(tree.locate(key))).equals(bytes);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

/** Replaces whatever is there by one rename, synced. */
async function restore(tree: Tree, disk: Disk, { key, bytes }: Small): Promise<void> {
  const file = tree.locate(key);
  const draft = join(journalFolder(tree.root), "restored");
  await disk.rm(draft, { force: true });
  const handle = await disk.open(draft, "wx");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await tree.ensure(dirname(file));
  await disk.rename(draft, file);
  await syncFolder(disk, dirname(file));
}

/**
 * Everything that was written to this file system before is on the disk when it resolves. One call of the system does
 * that for thousands of files (syncfs(2), by `sync -f`, which reports what could not be written since Linux 5.8);
 * where there is no such command each object is synced by itself.
 */
export async function flushDisk(tree: Tree, disk: Disk, journals: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)("sync", ["-f", tree.root]);
    return;
  } catch (error) {
    if (!hasCode(error, "ENOENT"))
      throw new ProblemError(
        "lake-unavailable",
        `the disk of ${tree.root} could not be written to: ${(error as Error).message}`,
        { cause: error },
      );
  }
  const folders = new Set<string>();
  for (const file of journals)
    for (const objects of recordsOf(await disk.readFile(file)))
      for (const { key } of objects) {
        const object = tree.locate(key);
        await syncFolder(disk, object);
        for (let at = dirname(object); at !== tree.root; at = dirname(at)) folders.add(at);
      }
  for (const folder of folders) await syncFolder(disk, folder);
}
