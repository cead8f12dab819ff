/**
 * A lake in a folder of one host, the embedded default. Objects are the files below the root; `.staging/` holds what
 * is not published yet, on the same file system, so that publishing is a rename (see `directory-tree.ts`).
 */
import { join } from "node:path";
import { Readable } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { claimRoot, readClaim, thisHost } from "./directory-claim.ts";
import { directoryParts } from "./directory-parts.ts";
import { digestOf, openTree, type Tree } from "./directory-tree.ts";
import { type Disk, freeBytes, hasCode, lakeFault, realDisk } from "./disk.ts";
import { startFollower } from "./follower.ts";
import type { AnyLake, StoredObject } from "./lake.ts";
import { openStaging, type Staging } from "./stage.ts";

export interface DirectoryLakeOptions {
  readonly root: string;
  /** The site's UUID: a root belongs to one site. */
  readonly site: string;
  /** What names this host; default: the machine's id, or its name. */
  readonly host?: string;
  readonly disk?: Disk;
}

/** Opens the folder, or makes it; refuses one that another host or site uses. */
export async function openDirectoryLake(options: DirectoryLakeOptions): Promise<AnyLake> {
  const { root, site, disk = realDisk } = options;
  await claimRoot(root, { host: options.host ?? (await thisHost()), site }, disk);
  const staging = openStaging(join(root, ".staging", "bodies"), disk);
  const tree = openTree(root, disk);
  const writing = new Map<string, Promise<void>>();
  return {
    ...directoryParts(tree, staging, startFollower(), disk),

    stage: (body) => staging.stage(body),

    async publish(staged, key) {
      // One after the other under one key, so that the second sees what the first did.
      const before = writing.get(key) ?? Promise.resolve();
      const run = before.catch(() => {}).then(() => publish(tree, staging, disk, staged, key));
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
        if (hasCode(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return undefined;
        throw lakeFault(error, key);
      }
    },

    list: (prefix) => walk(root, prefix, disk),

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
        await place(tree, staging, disk, staged, unit);
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
        ...(swept > 0 ? [`removed what ${swept} earlier process(es) left in staging`] : []),
      ];
    },

    async check() {
      const claim = await readClaim(root, disk);
      if (claim.site !== site) {
        throw new ProblemError(
          "lake-unavailable",
          `the lake in ${root} is another site's (${claim.site}) now`,
        );
      }
    },

    free: () => freeBytes(root, disk),

    relieve: async () => 0,
  };
}

async function publish(
  tree: Tree,
  staging: Staging,
  disk: Disk,
  staged: Parameters<AnyLake["publish"]>[0],
  key: string,
): Promise<void> {
  const there = await place(tree, staging, disk, staged, tree.unitOf(key));
  if (!there) await tree.requireSame(key, staged.sha256);
}

/** Builds the unit in staging, synced, and moves it in. Leaves nothing behind; false when the name is taken. */
async function place(
  tree: Tree,
  staging: Staging,
  disk: Disk,
  staged: Parameters<AnyLake["publish"]>[0],
  unit: Parameters<Tree["moveIn"]>[0],
): Promise<boolean> {
  const content = staging.consume(staged);
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

async function* walk(root: string, prefix: string, disk: Disk): AsyncGenerator<StoredObject> {
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
