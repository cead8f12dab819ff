/** What lies on a server of this machine, whose files are a folder here. */
import { chmod, chown, lstat, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { lastSegment, parent } from "../../agent/source/bytes.ts";
import type { Yard } from "./yard.ts";

/** The account: somebody whom permissions bind, which they do not bind root. */
export const NOBODY = 65_534;

export type OnDisk = Pick<
  Yard,
  "owner" | "write" | "rename" | "remove" | "paths" | "modified" | "deny" | "closed"
>;

/** `root` is NOBODY's, and so is all below it. */
export async function onDisk(root: string): Promise<OnDisk> {
  await chown(root, NOBODY, NOBODY);
  const at = (path: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path)]);
  async function makeFolder(folder: Buffer): Promise<void> {
    if (folder.length === 0) return;
    await makeFolder(parent(folder));
    const made = await mkdir(at(folder)).then(
      () => true,
      () => false,
    );
    if (made) await chown(at(folder), NOBODY, NOBODY);
  }
  return {
    owner: NOBODY,
    async write(path, bytes) {
      const name = Buffer.from(path);
      if (lastSegment(name).length < name.length) await makeFolder(parent(name));
      await writeFile(at(path), bytes);
      await chown(at(path), NOBODY, NOBODY);
    },
    async rename(from, to) {
      await makeFolder(parent(Buffer.from(to)));
      await rename(at(from), at(to));
    },
    remove: (path) => rm(at(path)),
    async paths(folder) {
      const all = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
      const files = all.filter((entry) => entry.isFile());
      return files
        .map((entry) => relative(join(root, folder), join(entry.parentPath, entry.name)))
        .toSorted();
    },
    modified: async (path) => (await stat(at(path))).mtimeMs,
    async deny(path) {
      const { mode } = await lstat(at(path));
      await chmod(at(path), 0);
      return () => chmod(at(path), mode & 0o777);
    },
    async closed(folder) {
      await makeFolder(Buffer.from(folder));
      await chown(join(root, folder), 0, 0);
      return { settings: {}, open: () => chown(join(root, folder), NOBODY, NOBODY) };
    },
  };
}
