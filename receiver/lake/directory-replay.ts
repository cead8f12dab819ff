/**
 * What a journal promised is made true: every object of it is where it belongs, with its bytes, and the system has
 * written that to the disk. For journals that a dead process left, and for those whose settling failed.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ProblemError } from "@tributary/shared/problems.ts";
import { journalFolder, recordsOf } from "./directory-journal.ts";
import type { Small, Tree } from "./directory-tree.ts";
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
    const began = beganAt(process.pid);
    return began === undefined
      ? undefined
      : {
          boot: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().slice(0, 8),
          space: readlinkSync("/proc/self/ns/pid").replace(/\D/g, ""),
          pid: process.pid,
          began,
        };
  } catch {
    return undefined;
  }
}

/** What a journal's name begins with; more may stand behind it. */
export const ownerName = ({ boot, space, pid, began }: Owner): string => [boot, space, pid, began].join("-");

/** Anything else in the folder is no journal: what a client sent would be obeyed if it were taken for one. */
const NAME = /^([0-9a-f]{8})-(\d+)-(\d+)-(\d+)(?:-\d+)?\.\d+$/;

/** Written to every 30 s and replaced then: one that was not touched for so long has nobody. */
const ABANDONED_MS = 600_000;

/**
 * Whether nobody writes to it any more. Of a process in another space of ids of this boot one cannot tell: while the
 * host runs the system itself has what was written, so its journal may wait. Of a process that lives it is never left,
 * however old it seems: clocks jump, and a disk may fail to settle it for hours.
 */
export function isLeft(name: string, touchedAt: number, own: Owner, now: number): boolean {
  const [, boot, space, pid, began] = NAME.exec(name) ?? [];
  if (boot === undefined) return false;
  if (boot !== own.boot) return true;
  return space === own.space ? beganAt(Number(pid)) !== began : now - touchedAt > ABANDONED_MS;
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
  const left: string[] = [];
  try {
    for (const name of await readIfThere(disk.readdir(folder), [])) {
      const found = await readIfThere(disk.lstat(join(folder, name)), undefined);
      if (found !== undefined && isLeft(name, found.mtimeMs, own, now)) left.push(join(folder, name));
    }
    if (left.length === 0) return 0;
    const restored = await replay(tree, disk, left, false);
    await flushDisk(tree, disk, left);
    for (const file of left) await disk.rm(file, { force: true });
    return restored;
  } catch (error) {
    throw lakeFault(error, folder);
  }
}

/** Whatever else keeps it from being read may hide what has to be restored. */
async function readIfThere<T, U>(reading: Promise<T>, otherwise: U): Promise<T | U> {
  return await reading.catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return otherwise;
    throw error;
  });
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
    for (const objects of recordsOf(await contentOf(file, disk)))
      for (const object of objects)
        if (anew || !(await isThere(tree, disk, object))) {
          await restore(tree, disk, object);
          restored += 1;
        }
  return restored;
}

/** A journal that is gone was replayed by another process, and all of it is on the disk. */
async function contentOf(journal: string, disk: Disk): Promise<Buffer> {
  return await readIfThere(disk.readFile(journal), Buffer.alloc(0));
}

async function isThere(tree: Tree, disk: Disk, { key, bytes }: Small): Promise<boolean> {
  try {
    return (await disk.readFile(tree.locate(key))).equals(bytes);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

/** Replaces whatever is there by one rename, synced. The draft is its own, however many restore at once; cut off, it is swept (`stage.ts`). */
async function restore(tree: Tree, disk: Disk, { key, bytes }: Small): Promise<void> {
  const file = tree.locate(key);
  const drafts = join(tree.root, ".staging", "bodies");
  await disk.mkdir(drafts, { recursive: true });
  const draft = join(drafts, `${process.pid}-${randomBytes(6).toString("hex")}`);
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
    await promisify(execFile)("sync", ["-f", tree.root], { env: { ...process.env, LC_ALL: "C" } });
    return;
  } catch (error) {
    if (!isNoCommand(error))
      throw new ProblemError(
        "lake-unavailable",
        `the disk of ${tree.root} could not be written to: ${(error as Error).message}`,
        { cause: error },
      );
  }
  const folders = new Set<string>();
  for (const file of journals)
    for (const objects of recordsOf(await contentOf(file, disk)))
      for (const { key } of objects) {
        const object = tree.locate(key);
        // A spare one may have been removed.
        await readIfThere(syncFolder(disk, object), undefined);
        for (let at = dirname(object); at !== tree.root; at = dirname(at)) folders.add(at);
      }
  for (const folder of folders) await syncFolder(disk, folder);
}

/** There is none, or one that knows no `-f`: nothing was tried. */
function isNoCommand(error: unknown): boolean {
  const { stderr = "" } = error as { stderr?: string };
  return hasCode(error, "ENOENT", "EACCES") || /option|usage/i.test(stderr);
}
