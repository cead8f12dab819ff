/**
 * A lake in a folder of one host, the embedded default. Objects are the files below the root; `.staging/` holds what
 * is not published yet, on the same file system, so that publishing is a rename (see `directory-tree.ts`).
 */
import { hash } from "node:crypto";
import { join } from "node:path";
import { Readable } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { CLAIM, type LakeOwner, strangeClaim } from "./claim.ts";
import { claimRoot, readClaim, thisHost } from "./directory-claim.ts";
import { copyObject } from "./directory-copy.ts";
import { directoryParts } from "./directory-parts.ts";
import { publishSmall } from "./directory-publish.ts";
import { hereAlone, onThread, type Publish } from "./directory-publisher.ts";
import { replayLeft, thisOwner } from "./directory-replay.ts";
import { digestOf, openTree, type Tree } from "./directory-tree.ts";
import { type Disk, freeBytes, hasCode, lakeFault, realDisk } from "./disk.ts";
import { startFollower } from "./follower.ts";
import type { AnyLake, OwnLake, StoredObject } from "./lake.ts";
import { guardRoot, type RootGuard } from "./root-guard.ts";
import { type Content, openStaging, type Staging } from "./stage.ts";
import { openUnfinished } from "./unfinished.ts";

export interface DirectoryLakeOptions extends LakeOwner {
  readonly root: string;
  /** What names this host; default: the machine's id, or its name. */
  readonly host?: string;
  /** What names this receiver among those of the host that share the lake: its data folder. */
  readonly receiver?: string;
  readonly disk?: Disk;
}

/** Opens the folder, or makes it; refuses one that another host or site uses, and one that is not the ledger's lake. */
export async function openDirectoryLake(options: DirectoryLakeOptions): Promise<OwnLake> {
  const { root, site, disk = realDisk } = options;
  const id = await claimRoot(root, options.host ?? (await thisHost()), options, disk);
  const isOurs = async (): Promise<boolean> => (await readClaim(root, disk))?.lake === id;
  const guard = await guardRoot(root, isOurs, disk);
  const staging = openStaging(join(root, ".staging", "bodies"), disk, guard.require);
  const tree = openTree(guard, disk);
  const own = thisOwner();
  const restored = own === undefined ? 0 : await replayLeft(tree, disk, own, Date.now());
  const publishOne =
    options.disk === undefined
      ? onThread({ root, lake: id, claimFile: CLAIM })
      : hereAlone(publishSmall(tree, staging.name, disk));
  const writing = new Map<string, Promise<void>>();
  return {
    id,
    ...directoryParts(tree, staging, startFollower(), disk),
    ...openUnfinished(unfinishedFolder(root, options.receiver), staging, disk, guard.require),

    stage: (body) => staging.stage(body),

    async publish(staged, key) {
      // One after the other under one key, so that the second sees what the first did.
      const before = writing.get(key) ?? Promise.resolve();
      const run = before.catch(() => {}).then(() => publish(tree, staging, disk, staged, key, publishOne));
      writing.set(key, run);
      try {
        await run;
      } catch (error) {
        throw lakeFault(error, key);
      } finally {
        if (writing.get(key) === run) writing.delete(key);
      }
    },

    async read(key, range) {
      try {
        const handle = await disk.open(tree.locate(key), "r");
        if ((await handle.stat()).isDirectory()) {
          await handle.close();
          return undefined;
        }
        return handle.createReadStream({ ...range, highWaterMark: 256 * 1024 });
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) throw lakeFault(error, key);
        // Of a disk that is not there, nobody may say that the object is not there.
        await guard.require();
        return undefined;
      }
    },

    async copy(from, to) {
      try {
        await copyObject(tree, staging, disk, from, to);
      } catch (error) {
        throw lakeFault(error, from);
      }
    },

    list: (prefix) => walk(guard, prefix, disk),

    async remove(key) {
      try {
        await disk.rm(tree.locate(key), { force: true });
        const unit = tree.unitOf(key);
        for (let depth = unit.inside.length - 1; depth >= 0; depth -= 1) {
          await disk.rmdir(join(unit.path, ...unit.inside.slice(0, depth)));
        }
      } catch (error) {
        if (!hasCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR")) throw lakeFault(error, key);
      }
    },

    async probe() {
      const swept = await staging.sweep();
      const key = `.staging/probe-${process.pid}`;
      const staged = await staging.stage(Readable.from([Buffer.from("tributary")]));
      try {
        const unit = { parent: join(root, ".staging"), path: join(root, key), inside: [] };
        await disk.rm(unit.path, { force: true });
        await place(tree, staging, disk, staging.consume(staged), unit);
        const back = await digestOf(unit.path);
        if (back?.sha256 !== staged.sha256) throw new Error("it gave back other bytes than were written");
        await disk.rm(unit.path);
      } catch (error) {
        throw lakeFault(error, root);
      }
      const free = await freeBytes(root, disk);
      return [
        `write, fsync, rename, read and remove work in ${root}`,
        `${(free / 2 ** 30).toFixed(1)} GiB are free`,
        ...(restored > 0
          ? [`restored ${restored} objects out of the journal of a receiver that ended without warning`]
          : []),
        ...(swept > 0 ? [`removed what ${swept} earlier process(es) left in staging`] : []),
      ];
    },

    async check() {
      const claim = await readClaim(root, disk);
      if (claim?.site !== site || claim.lake !== id) {
        throw new ProblemError("lake-unavailable", strangeClaim(claim, root, "is the disk mounted there?"));
      }
    },

    free: () => freeBytes(root, disk),

    relieve: async () => 0,
  };
}

/** Of this receiver alone: at its start it takes over all that lies there, which others may be writing to now. */
function unfinishedFolder(root: string, receiver = ""): string {
  return join(root, ".staging", "unfinished", hash("sha256", receiver).slice(0, 16));
}

async function publish(
  tree: Tree,
  staging: Staging,
  disk: Disk,
  staged: Parameters<AnyLake["publish"]>[0],
  key: string,
  publishOne: Publish,
): Promise<void> {
  const content = staging.consume(staged);
  if (content.kind === "memory") return await publishOne({ key, bytes: content.bytes });
  const there = await place(tree, staging, disk, content, tree.unitOf(key));
  if (!there) await tree.requireSame(key, staged.sha256);
}

/** Builds the unit in staging, synced, and moves it in. Leaves nothing behind; false when the name is taken. */
async function place(
  tree: Tree,
  staging: Staging,
  disk: Disk,
  content: Content,
  unit: Parameters<Tree["moveIn"]>[0],
): Promise<boolean> {
  let draft = "";
  try {
    draft = await staging.name();
    const file = await tree.layOut(unit, draft);
    const spilled = content.kind === "file";
    const handle = await disk.open(spilled ? content.file : file, spilled ? "r+" : "wx");
    try {
      if (!spilled) await handle.writeFile(content.bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (spilled) await disk.rename(content.file, file);
    await tree.syncInside(unit, draft);
    const moved = await tree.moveIn(unit, draft);
    if (!moved) await disk.rm(draft, { recursive: true, force: true });
    return moved;
  } catch (error) {
    for (const rest of content.kind === "file" ? [draft, content.file] : [draft]) {
      await disk.rm(rest, { recursive: true, force: true }).catch(() => {});
    }
    throw error;
  }
}

async function* walk(guard: RootGuard, prefix: string, disk: Disk): AsyncGenerator<StoredObject> {
  const { root } = guard;
  await guard.require();
  const from = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  const folders = [from];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    let entries: Awaited<ReturnType<Disk["opendir"]>>;
    try {
      entries = await disk.opendir(join(root, at));
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) continue;
      throw lakeFault(error, join(root, at));
    }
    for await (const entry of entries) {
      const key = `${at}${entry.name}`;
      if (key.startsWith(".")) continue;
      const folder = `${key}/`;
      if (entry.isDirectory()) {
        if (folder.startsWith(prefix) || prefix.startsWith(folder)) folders.push(folder);
      } else if (key.startsWith(prefix)) {
        const found = await disk.lstat(join(root, key)).catch(() => undefined);
        if (found !== undefined) yield { key, size: found.size };
      }
    }
  }
}
