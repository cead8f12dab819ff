/** A second key for an object of a directory lake: a link to the same file, which takes no room and no time. */
import { digestOf, type Tree } from "./directory-tree.ts";
import { type Disk, hasCode } from "./disk.ts";
import type { Staging } from "./stage.ts";

/** Durable when it resolves. Leaves nothing behind when it fails. */
export async function copyObject(
  tree: Tree,
  staging: Pick<Staging, "name">,
  disk: Disk,
  from: string,
  to: string,
): Promise<void> {
  const unit = tree.unitOf(to);
  const draft = await staging.name();
  try {
    const file = await tree.layOut(unit, draft);
    await disk.link(tree.locate(from), file).catch(async (error: unknown) => {
      // Some file systems know no links.
      if (!hasCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")) throw error;
      await disk.copyFile(tree.locate(from), file);
    });
    // A small one may so far be durable through a journal alone, which knows nothing of this key.
    const handle = await disk.open(file, "r+");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await tree.syncInside(unit, draft);
    if (await tree.moveIn(unit, draft)) return;
    const original = await digestOf(tree.locate(from));
    if (original !== undefined) await tree.requireSame(to, original.sha256);
  } finally {
    await disk.rm(draft, { recursive: true, force: true }).catch(() => {});
  }
}
