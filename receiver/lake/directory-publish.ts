/**
 * Small objects made durable together. A few: all are written, then all are synced, then all are renamed in, then each
 * folder that took some of them is synced once. Many: one sync of a journal that holds them all, and they are renamed in.
 */

import type { Journal } from "./directory-journal.ts";
import type { Small, Tree, Unit } from "./directory-tree.ts";
import { type Disk, lakeFault } from "./disk.ts";

/** Makes them durable; gives what kept each from it, undefined for those that are. Of those that are not nothing is left. */
export type PublishSmall = (objects: readonly Small[]) => Promise<readonly (Error | undefined)[]>;

/** What is left to do once the bytes are handed to the system: one of both. */
interface Written {
  readonly close: () => Promise<void>;
  readonly sync: () => Promise<void>;
}

interface Draft {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly unit: Unit;
  readonly at: string;
  error: Error | undefined;
  moved: boolean;
}

/** From so many on the journal is cheaper: one sync instead of two for each and one for all. */
const JOURNAL_FROM = 8;

/** `name` gives a new name in the staging folder. Without a journal each object is synced by itself. */
export function publishSmall(
  tree: Tree,
  name: () => Promise<string>,
  disk: Disk,
  journal?: Pick<Journal, "append">,
): PublishSmall {
  const write = async ({ unit, at, bytes }: Draft): Promise<Written> => {
    const handle = await disk.open(await tree.layOut(unit, at), "wx");
    try {
      await handle.writeFile(bytes);
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    return {
      close: () => handle.close(),
      sync: async () => {
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
        await tree.syncInside(unit, at);
      },
    };
  };

  return async (objects) => {
    const drafts: Draft[] = [];
    for (const { key, bytes } of objects)
      drafts.push({ key, bytes, unit: tree.unitOf(key), at: await name(), error: undefined, moved: false });
    const each = async (some: readonly Draft[], step: (draft: Draft) => Promise<void>): Promise<void> => {
      for (const draft of some)
        if (draft.error === undefined)
          await step(draft).catch((error: unknown) => {
            draft.error = lakeFault(error, draft.key);
          });
    };
    const journaled = journal !== undefined && objects.length >= JOURNAL_FROM;
    if (journaled) await journal.append(objects);
    const written = new Map<Draft, Written>();
    await each(drafts, async (draft) => void written.set(draft, await write(draft)));
    for (const [draft, { close, sync }] of written) await each([draft], journaled ? close : sync);
    await each(drafts, async (draft) => {
      draft.moved = await tree.enter(draft.unit, draft.at);
      if (!draft.moved) await disk.rm(draft.at, { recursive: true, force: true });
    });
    for (const [parent, some] of journaled ? [] : byParent(drafts.filter(({ moved }) => moved)))
      await tree.settle(parent).catch(async (error: unknown) => {
        // Not durable, and a second fsync would not tell: taken back, so that a retry renames anew.
        for (const draft of some) {
          draft.error = lakeFault(error, draft.key);
          await disk.rename(draft.unit.path, draft.at).catch(() => {});
        }
      });
    await each(
      drafts.filter(({ moved }) => !moved),
      async ({ key, bytes }) => await tree.requireSameBytes(key, bytes),
    );
    for (const { error, at } of drafts)
      if (error !== undefined) await disk.rm(at, { recursive: true, force: true }).catch(() => {});
    return drafts.map(({ error }) => error);
  };
}

function byParent(drafts: readonly Draft[]): Map<string, Draft[]> {
  const groups = new Map<string, Draft[]>();
  for (const draft of drafts) {
    const group = groups.get(draft.unit.parent) ?? [];
    groups.set(draft.unit.parent, group);
    group.push(draft);
  }
  return groups;
}
