/**
 * A folder on this host or on a mounted share. Nothing is followed: not links, not mounts unless asked. What is opened
 * is a regular file whose own real path is the root's with its name: what a link on the way leads to has another name.
 */
import type { BigIntStats, Dirent } from "node:fs";
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { pathFault } from "@tributary/shared/path.ts";
import { afterByHands } from "./after.ts";
import { fromKey, join, parent, within } from "./bytes.ts";
import { type Disk, errorCode, inWords, isGone, realDisk, slashed } from "./disk.ts";
import { diskHands, shareHands } from "./disk-hands.ts";
import { LINKED, linked, openedFile } from "./folder-file.ts";
import { folderWatch } from "./folder-watch.ts";
import { type Names, namesIn } from "./names.ts";
import { rulesOf } from "./rules.ts";
import { sameState } from "./same-state.ts";
import { Away, neverAway, shareAway } from "./share-away.ts";
import type { Found, Listing, Look, Opened, RootHealth, Source, TakeFound, Unseen } from "./source.ts";
import { COARSE_MS, type FileState, STALE_MS } from "./state.ts";

export interface FolderOptions {
  readonly name: string;
  readonly path: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** File ids mean nothing there, and events are not expected. */
  readonly share: boolean;
  readonly crossMounts: boolean;
  /** Absolute paths that are none of the client's files: the agent's own data, the target of `after: move`. */
  readonly ignored: readonly string[];
}

/** Looks on their way at once: enough to hide a share's latency, few enough to disturb nobody. */
const PARALLEL = 32;
const SLICE = 100;
/** What memory holds of a folder: its names, and this many files. */
const AT_ONCE = 1_000;
/** Times beyond this (year 2262) do not fit 64 bits of nanoseconds. */
const LATEST = 2n ** 63n - 1n;

/** A name, looked at; neither `stats` nor `unseen`: it is gone. */
interface NameLook {
  readonly path: Buffer;
  readonly stats?: BigIntStats;
  readonly unseen?: Unseen;
}

export function folderSource(
  options: FolderOptions,
  disk: Disk = realDisk,
  doubtsMs?: readonly number[],
): Source {
  const root = slashed(Buffer.from(resolve(options.path)));
  const rules = rulesOf(options.include, options.exclude);
  const ignored = options.ignored
    .map((path) => slashed(Buffer.from(resolve(path))))
    .filter((path) => within(path, root) && path.length > root.length)
    .map((path) => path.subarray(root.at(-1) === 0x2f ? root.length : root.length + 1));
  const absolute = (path: Buffer): Buffer => (path.length === 0 ? root : join(root, path));
  const exists = (path: Buffer): boolean => {
    try {
      return disk.lstatNow(absolute(path)) !== undefined;
    } catch {
      return false;
    }
  };
  const watching = folderWatch(absolute, exists);
  const { surely, mayPass, unread } = options.share ? shareAway(health, doubtsMs) : neverAway;

  function stateOf(stats: BigIntStats): FileState {
    return {
      size: Number(stats.size),
      mtimeNs: clamp(stats.mtimeNs),
      ctimeNs: clamp(stats.ctimeNs),
      fileId: options.share ? undefined : stats.ino,
    };
  }

  /** One file at two looks. On a share ids may be new at each: there it is what would tell of a change. */
  function same(a: BigIntStats, b: BigIntStats): boolean {
    if (a.dev !== b.dev) return false;
    if (!options.share) return a.ino === b.ino;
    return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
  }

  /** One folder; that something was added to it in between says nothing where its id stayed. */
  function sameFolder(a: BigIntStats, b: BigIntStats): boolean {
    return same(a, b) || (a.dev === b.dev && a.ino === b.ino);
  }

  /** By its kind: no problem, and no file of the client whatever the rules say. */
  function skipped(path: Buffer, stats: BigIntStats | Dirent<Buffer>): Unseen | undefined {
    if (stats.isFile() || stats.isDirectory()) return undefined;
    const what = stats.isSymbolicLink()
      ? "a link: links are not followed"
      : stats.isFIFO()
        ? "a FIFO"
        : stats.isSocket()
          ? "a socket"
          : "a device";
    return { path, reason: what, code: undefined, absent: true };
  }

  function leftOut(path: Buffer, folder: boolean): Unseen | undefined {
    const fault = pathFault(path);
    if (fault !== undefined) {
      const reason = `${folder ? "the folder and all in it are" : "it is"} refused: ${fault}`;
      return { path, reason, code: "path-invalid" };
    }
    if (ignored.some((prefix) => within(path, prefix)))
      return { path, reason: "the agent's own", code: undefined };
    const reason = folder ? rules.leavesOutFolder(path) : rules.leavesOut(path);
    return reason === undefined ? undefined : { path, reason, code: undefined };
  }

  async function list(folder: Buffer, take: TakeFound): Promise<Listing> {
    const at = absolute(folder);
    let taking = false;
    try {
      const rootReal = await disk.realPath(root);
      const [real, before] = [await disk.realPath(at), await disk.stat(at)];
      if (!real.equals(folder.length === 0 ? rootReal : join(rootReal, folder)))
        return { ...unlisted(folder, LINKED, undefined), vanished: true };
      if (!before.isDirectory()) return { ...unlisted(folder, "it is no folder", undefined), vanished: true };
      watching.cover(folder, `${before.dev}:${before.ino}`);
      const names = await namesIn(disk, at, !options.share);
      const folders = await lookAtAll(folder, names, before.dev, async (found) => {
        taking = true;
        await take(found);
        taking = false;
      });
      const after = await disk.stat(at);
      const complete = sameFolder(before, after) && (await disk.realPath(at)).equals(real);
      const mounted = folder.length > 0 && before.dev !== (await parentDevice(at));
      const own = names.own.map((name) => join(folder, fromKey(name)));
      return {
        folder,
        folders,
        complete,
        ...(mounted ? { mount: `${before.dev}` } : {}),
        ...(own.length > 0 ? { own } : {}),
      };
    } catch (error) {
      if (taking) throw error;
      if (await mayPass(error, () => firstOf(at))) return { folder, folders: [], complete: false };
      if (isGone(error)) return { ...unlisted(folder, inWords(error), undefined), vanished: true };
      return unlisted(folder, `it cannot be listed: ${inWords(error)}`, "folder-unreadable");
    }
  }

  /** On a local disk the answer comes from memory. */
  async function realPath(path: Buffer): Promise<Buffer> {
    return (options.share ? undefined : disk.realPathNow(path)) ?? (await disk.realPath(path));
  }

  async function isBehindLink(path: Buffer): Promise<boolean> {
    const folder = parent(path);
    if (folder.length === 0) return false;
    const [real, rootReal] = await Promise.all([realPath(absolute(folder)), realPath(root)]);
    return !real.equals(join(rootReal, folder));
  }

  async function parentDevice(at: Buffer): Promise<bigint> {
    return (await disk.stat(at.subarray(0, at.lastIndexOf(0x2f)))).dev;
  }

  /** Some at a time; answers with the subfolders. */
  async function lookAtAll(folder: Buffer, names: Names, device: bigint, take: TakeFound): Promise<Buffer[]> {
    const folders: Buffer[] = [];
    for (let i = 0; i < names.all.length; i += AT_ONCE) {
      const some = names.all.slice(i, i + AT_ONCE);
      const looks = options.share
        ? await looksAsync(folder, some, names)
        : await looksNow(folder, some, names);
      const found: Found[] = [];
      for (const { path, stats, unseen } of looks) {
        if (unseen !== undefined) found.push(unseen);
        else if (stats?.isFile()) found.push({ path, state: stateOf(stats) });
        else if (stats !== undefined && stats.dev !== device && !options.crossMounts)
          found.push(elsewhere(path));
        else if (stats !== undefined) folders.push(path);
      }
      await take(found);
    }
    return folders;
  }

  /** What is left out by rule is not looked at; what is neither file nor folder is told by its kind first. */
  function ruledOut(path: Buffer, name: string, names: Names): Unseen | undefined {
    return names.odd.has(name) ? undefined : leftOut(path, names.folders.has(name));
  }

  function judged(path: Buffer, stats: BigIntStats, odd: boolean): NameLook {
    const unseen = skipped(path, stats) ?? (odd ? leftOut(path, stats.isDirectory()) : undefined);
    return unseen === undefined ? { path, stats } : { path, unseen };
  }

  function failed(path: Buffer, error: unknown): NameLook {
    return isGone(error) ? { path } : { path, unseen: unreadable(path, error) };
  }

  async function firstOf(folder: Buffer): Promise<void> {
    for await (const _ of disk.list(folder, false)) break;
  }

  function failedAlone(
    path: Buffer,
    error: unknown,
  ): Extract<Look & Opened, { readonly kind: "away" | "unseen" }> {
    return error instanceof Away
      ? { kind: "away", reason: error.message }
      : { kind: "unseen", unseen: unreadable(path, error) };
  }

  async function health(): Promise<RootHealth> {
    try {
      const stats = await disk.stat(root);
      if (!stats.isDirectory()) return sick(`${options.path} is not a folder`);
      await firstOf(root);
      // Stored and compared: another form of it makes every source "root-changed", once. Nothing is released yet.
      const rootId = options.share ? `share-${await disk.shareOf(root)}` : `${stats.dev}:${stats.ino}`;
      return { healthy: true, rootId };
    } catch (error) {
      return sick(`${options.path} cannot be reached: ${inWords(error)}`);
    }
  }

  /** On a share each look is a round trip: many at once. */
  async function looksAsync(folder: Buffer, some: readonly string[], names: Names): Promise<NameLook[]> {
    const looks: NameLook[] = [];
    let next = 0;
    async function lane(): Promise<void> {
      for (let i = next++; i < some.length; i = next++) {
        const name = some[i] as string;
        const path = join(folder, fromKey(name));
        const unseen = ruledOut(path, name, names);
        looks[i] =
          unseen !== undefined
            ? { path, unseen }
            : await surely(() => disk.lstat(absolute(path))).then(
                (stats) => judged(path, stats, names.odd.has(name)),
                (error: unknown) => {
                  if (error instanceof Away) throw error;
                  return failed(path, error);
                },
              );
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, some.length) }, lane));
    return looks;
  }

  /** On a local disk the answer comes from memory: for about a millisecond at once, between which others get their turn. */
  async function looksNow(folder: Buffer, some: readonly string[], names: Names): Promise<NameLook[]> {
    const looks: NameLook[] = [];
    for (const [i, name] of some.entries()) {
      if (i % SLICE === SLICE - 1) await setImmediate();
      const path = join(folder, fromKey(name));
      const unseen = ruledOut(path, name, names);
      try {
        looks.push(
          unseen === undefined
            ? judged(path, disk.lstatNow(absolute(path)), names.odd.has(name))
            : { path, unseen },
        );
      } catch (error) {
        looks.push(failed(path, error));
      }
    }
    return looks;
  }

  return {
    name: options.name,
    tells: {
      hostTimes: !options.share,
      coarseMs: options.share ? COARSE_MS : 0,
      staleMs: options.share ? STALE_MS : 0,
      contentIds: false,
    },
    list,
    takes: (path) => leftOut(path, false) === undefined,
    async look(path): Promise<Look> {
      try {
        if (await surely(() => isBehindLink(path))) return { kind: "unseen", unseen: linked(path) };
        const stats = options.share
          ? await surely(() => disk.lstat(absolute(path)))
          : disk.lstatNow(absolute(path));
        const unseen = skipped(path, stats) ?? leftOut(path, stats.isDirectory());
        if (unseen !== undefined) return { kind: "unseen", unseen };
        if (!stats.isDirectory()) return { kind: "file", state: stateOf(stats) };
        if (path.length === 0 || stats.dev === (await parentDevice(absolute(path))))
          return { kind: "folder" };
        return options.crossMounts
          ? { kind: "folder", mount: `${stats.dev}` }
          : { kind: "unseen", unseen: elsewhere(path) };
      } catch (error) {
        return isGone(error) ? { kind: "gone" } : failedAlone(path, error);
      }
    },
    async open(path): Promise<Opened> {
      const unseen = leftOut(path, false);
      if (unseen !== undefined) return { kind: "unseen", unseen };
      try {
        const found = await surely(() => disk.lstat(absolute(path)));
        // Before it is opened: to open a FIFO or a device already does something.
        const skip = skipped(path, found);
        if (skip !== undefined) return { kind: "unseen", unseen: skip };
        if (!found.isFile()) return { kind: "gone" };
        const place = { root, path, absolute: absolute(path) };
        return await surely(() => openedFile(disk, place, { stateOf, same, unread }));
      } catch (error) {
        if (isGone(error)) return { kind: "gone" };
        if (errorCode(error) === "ELOOP")
          return {
            kind: "unseen",
            unseen: { path, reason: "a link: links are not followed", code: undefined, absent: true },
          };
        return failedAlone(path, error);
      }
    },
    readNow(path, state) {
      if (options.share || leftOut(path, false) !== undefined) return undefined;
      try {
        const read = disk.readNow(root, absolute(path), state.size);
        if (read === undefined || read.bytes.length !== state.size) return undefined;
        const { before, after, named, bytes } = read;
        const held = sameState(stateOf(before), state) && sameState(stateOf(after), state);
        return held && same(named, after) && read.real.equals(join(read.rootReal, path)) ? bytes : undefined;
      } catch {
        return undefined;
      }
    },
    health,
    watch: async (hint, failed) => watching.start(hint, failed),
    after: afterByHands(Buffer.from(resolve(options.path)), options.share ? shareHands : diskHands),
  };
}

function sick(reason: string): RootHealth {
  return { healthy: false, code: "source-unreachable", reason };
}

function elsewhere(path: Buffer): Unseen {
  return { path, reason: "another file system is mounted here", code: undefined };
}

function clamp(ns: bigint): bigint {
  return ns > LATEST ? LATEST : ns < -LATEST ? -LATEST : ns;
}

function unreadable(path: Buffer, error: unknown): Unseen {
  return { path, reason: `it cannot be read: ${inWords(error)}`, code: "file-unreadable" };
}

function unlisted(folder: Buffer, reason: string, code: Unseen["code"]): Listing {
  return { folder, folders: [], unlisted: { path: folder, reason, code }, complete: false };
}
