/**
 * Objects as files under a root. An object becomes visible, whole and durable, by one rename: the version's folder is
 * built in staging, its file and folders are fsynced, it is renamed into `date=…`, and that folder is fsynced.
 */
import { createHash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Disk, hasCode, lakeFault, sharedSync, syncFolder } from "./disk.ts";
import type { RootGuard } from "./root-guard.ts";

/** What one rename brings in: the folder of a version, or a lone file where the key has none. */
export interface Unit {
  readonly parent: string;
  readonly path: string;
  /** The object's segments below `path`; none for a lone file. */
  readonly inside: readonly string[];
}

/** An object that memory holds: its bytes and its key. */
export interface Small {
  readonly key: string;
  readonly bytes: Uint8Array;
}

const VERSION = /^((?:raw|quarantine)\/client=[^/]+\/source=[^/]+\/date=[^/]+\/[^/]+)\/(.+)$/;

export type Tree = ReturnType<typeof openTree>;

export function openTree(guard: RootGuard, disk: Disk) {
  const { root } = guard;
  const ready = new Map<string, Promise<void>>();
  let readyOn = guard.mounted();
  const sync = sharedSync((folder) => syncFolder(disk, folder));

  const locate = (key: string): string => {
    const segments = key.split("/");
    if (
      segments.some((s) => s === "" || s === "." || s === "..") ||
      key.startsWith(".") ||
      key.includes("\0")
    ) {
      throw new ProblemError("internal", `"${key}" is no key of a lake`);
    }
    return join(root, ...segments);
  };

  const unitOf = (key: string): Unit => {
    const path = locate(key);
    const [, folder, rest] = VERSION.exec(key) ?? [];
    if (folder === undefined || rest === undefined) return { parent: dirname(path), path, inside: [] };
    return { parent: dirname(join(root, folder)), path: join(root, folder), inside: rest.split("/") };
  };

  /** The folder is there and so is, durably, every name on the way to it: also one that a dead process made. */
  const ensure = (folder: string): Promise<void> => {
    if (readyOn !== guard.mounted()) {
      // The disk came back: its folders may be others than those that we made.
      ready.clear();
      readyOn = guard.mounted();
    }
    let made = ready.get(folder);
    if (made === undefined) {
      made = (async () => {
        await guard.require();
        await disk.mkdir(folder, { recursive: true });
        for (let at = folder; at !== root; ) {
          at = dirname(at);
          await sync(at);
        }
      })();
      if (ready.size > 10_000) ready.clear();
      ready.set(folder, made);
      made.catch(() => ready.delete(folder));
    }
    return made;
  };

  /** Lays the folders of a unit out at `at` and gives where its file goes. */
  const layOut = async (unit: Unit, at: string): Promise<string> => {
    await guard.require();
    if (unit.inside.length > 0) await disk.mkdir(join(at, ...unit.inside.slice(0, -1)), { recursive: true });
    return join(at, ...unit.inside);
  };

  /** Fsyncs the unit's own folders, the deepest first. */
  const syncInside = async (unit: Unit, at: string): Promise<void> => {
    for (let depth = unit.inside.length - 1; depth >= 0; depth -= 1) {
      await syncFolder(disk, join(at, ...unit.inside.slice(0, depth)));
    }
  };

  const exists = async (path: string): Promise<boolean> => {
    try {
      await disk.lstat(path);
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
      throw error;
    }
  };

  /** Renames a synced unit in, which is durable with the next `settle`. False when something is there already: nothing was touched. */
  const enter = async (unit: Unit, from: string): Promise<boolean> => {
    for (let again = false; ; again = true) {
      await ensure(unit.parent);
      // What was laid out on another disk than this is not here to be renamed: so this look is the one that counts.
      await guard.require();
      try {
        // A rename replaces a file, but never a folder with something in it.
        if (unit.inside.length === 0 && (await exists(unit.path))) return false;
        await disk.rename(from, unit.path);
        return true;
      } catch (error) {
        if (hasCode(error, "ENOTEMPTY", "EEXIST")) return false;
        // Somebody tidied the empty folder away since we made it.
        if (again || !hasCode(error, "ENOENT")) throw error;
        ready.delete(unit.parent);
      }
    }
  };

  /** What was renamed into the folder before is durable there. */
  const settle = (parent: string): Promise<void> => sync(parent);

  /** Makes a synced unit visible and durable. False when something is there already: nothing was touched. */
  const moveIn = async (unit: Unit, from: string): Promise<boolean> => {
    if (!(await enter(unit, from))) return false;
    try {
      await settle(unit.parent);
    } catch (error) {
      // Not durable, and a second fsync would not tell: take it back, so that a retry renames anew.
      await disk.rename(unit.path, from).catch(() => {});
      throw error;
    }
    return true;
  };

  /** Throws unless the object that is there has these bytes; a process that died may have left its folder unsynced. */
  const requireSame = async (key: string, sha256: string): Promise<void> => {
    const there = await digestOf(locate(key));
    if (there?.sha256 !== sha256) {
      throw new ProblemError("internal", `the key ${key} is taken by other bytes; nothing was overwritten`);
    }
    const unit = unitOf(key);
    await ensure(unit.parent);
    await sync(unit.parent);
  };

  const requireSameBytes = async (key: string, bytes: Uint8Array): Promise<void> =>
    await requireSame(key, hash("sha256", bytes));

  return {
    ...{ root, guard, locate, unitOf, ensure, layOut, syncInside, exists },
    ...{ enter, settle, moveIn, requireSame, requireSameBytes },
  };
}

/** Size and SHA-256 of a file, or undefined when there is none. */
export async function digestOf(file: string): Promise<{ size: number; sha256: string } | undefined> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw lakeFault(error, file);
  }
  return { size, sha256: hash.digest("hex") };
}
