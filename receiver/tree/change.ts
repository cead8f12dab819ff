/** What people do to a tree by hand. It changes folders alone, under the same lock as the follower. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { sql } from "kysely";
import { chunks } from "../ledger/chunks.ts";
import { named, writing } from "../ledger/database.ts";
import { pathHash } from "../ledger/entry.ts";
import type { Database } from "../ledger/schema.ts";
import { FolderChanges, isThere } from "./folders.ts";
import { type Follower, lockTree } from "./follow.ts";
import { sees } from "./look.ts";
import { parentOf, placeOf } from "./place.ts";
import { folderAt } from "./rows.ts";
import { type TreeDatabase, withTree } from "./schema.ts";
import type { TreeChanges, View } from "./tree.ts";

/** Of one bearer: folders that were made and never held a file. They cost a row each and no quota counts them. */
const MOST_FOLDERS = 10_000;

export class Changes implements TreeChanges {
  readonly #db: Database;
  readonly #follower: Follower;
  readonly #now: () => number;

  constructor(db: Database, follower: Follower, now: () => number) {
    this.#db = db;
    this.#follower = follower;
    this.#now = now;
  }

  async makeFolder(
    view: View,
    source: string,
    pathEncoded: string,
  ): Promise<"made" | "there" | "file" | "too-many"> {
    if (!sees(view, source))
      throw new ProblemError("source-not-allowed", `a view of another source than "${source}"`);
    // Whoever removes many files says first, each time, that their folder is to stay.
    if (await named(() => hasMade(withTree(this.#db), view, source, pathEncoded))) return "there";
    await this.#follower.catchUpWith(view.client, source, pathEncoded);
    return await writing(this.#db, async (outer) => {
      const trx = withTree(outer);
      await lockTree(trx, view.client);
      const there = (await folderAt(trx, view, source, pathEncoded, false)) !== undefined;
      if (!there && (await isBelowFile(trx, view, source, pathEncoded))) return "file";
      if (await hasTooMany(trx, view)) return there ? "there" : "too-many";
      const folders = new FolderChanges();
      folders.make({ source, bearer: view.bearer.id, path: pathEncoded }, true, this.#now());
      await folders.apply(trx, view.client);
      return there ? "there" : "made";
    });
  }

  async removeFolder(
    view: View,
    source: string,
    pathEncoded: string,
  ): Promise<"removed" | "not-empty" | "absent"> {
    if (!sees(view, source)) return "absent";
    await this.#follower.catchUpWith(view.client, source, pathEncoded);
    return await writing(this.#db, async (outer) => {
      const trx = withTree(outer);
      await lockTree(trx, view.client);
      const { parent_hash, name_key } = placeOf(pathEncoded);
      let query = trx
        .selectFrom("tree_folders")
        .select(["bearer", "made", "holds"])
        .where("client", "=", view.client)
        .where("parent_hash", "=", parent_hash)
        .where("source", "=", source)
        .where("name_key", "=", name_key);
      if (!view.bearer.seesAll) query = query.where("bearer", "=", view.bearer.id);
      const there = (await query.execute()).filter(isThere);
      if (there.length === 0) return "absent";
      if (there.some(({ holds }) => holds > 0)) return "not-empty";
      const folders = new FolderChanges();
      for (const { bearer } of there) folders.make({ source, bearer, path: pathEncoded }, false, this.#now());
      await folders.apply(trx, view.client);
      return "removed";
    });
  }

  async setModified(
    view: View,
    source: string,
    pathEncoded: string,
    { versionId, modifiedAt }: { readonly versionId: string; readonly modifiedAt: string },
  ): Promise<boolean> {
    if (!sees(view, source)) return false;
    return await writing(this.#db, async (outer) => {
      const trx = withTree(outer);
      await lockTree(trx, view.client);
      let query = trx
        .selectFrom("heads")
        .select("seq")
        .where("client", "=", view.client)
        .where("source", "=", source)
        .where("path_hash", "=", pathHash(pathEncoded))
        .where("version_id", "=", versionId)
        .where("kind", "=", "version");
      if (!view.bearer.seesAll) query = query.where("bearer", "=", view.bearer.id);
      const head = await query.executeTakeFirst();
      if (head === undefined) return false;
      await trx
        .insertInto("modified_later")
        .values({ version_id: versionId, modified_at: modifiedAt })
        .onConflict((oc) => oc.column("version_id").doUpdateSet({ modified_at: modifiedAt }))
        .execute();
      // Where the tree is not so far yet, it finds it when it is.
      const { parent_hash, name_key } = placeOf(pathEncoded);
      await trx
        .updateTable("tree_files")
        .set({ modified_at: modifiedAt })
        .where("client", "=", view.client)
        .where("parent_hash", "=", parent_hash)
        .where("source", "=", source)
        .where("name_key", "=", name_key)
        .where("seq", "=", head.seq)
        .execute();
      return true;
    });
  }
}

async function hasMade(db: TreeDatabase, view: View, source: string, pathEncoded: string): Promise<boolean> {
  const { parent_hash, name_key } = placeOf(pathEncoded);
  const row = await db
    .selectFrom("tree_folders")
    .select("made")
    .where("client", "=", view.client)
    .where("parent_hash", "=", parent_hash)
    .where("source", "=", source)
    .where("name_key", "=", name_key)
    .where("bearer", "=", view.bearer.id)
    .executeTakeFirst();
  return row?.made === 1;
}

/** Whether this path, or one above it, is a file that the view sees. */
async function isBelowFile(
  trx: TreeDatabase,
  view: View,
  source: string,
  pathEncoded: string,
): Promise<boolean> {
  const hashes: string[] = [];
  for (let path = pathEncoded; path !== ""; path = parentOf(path)) hashes.push(pathHash(path));
  for (const some of chunks(hashes)) {
    let query = trx
      .selectFrom("heads")
      .select("seq")
      .where("client", "=", view.client)
      .where("source", "=", source)
      .where("path_hash", "in", some)
      .where("kind", "=", "version");
    if (!view.bearer.seesAll) query = query.where("bearer", "=", view.bearer.id);
    if ((await query.limit(1).executeTakeFirst()) !== undefined) return true;
  }
  return false;
}

async function hasTooMany(trx: TreeDatabase, { client, bearer }: View): Promise<boolean> {
  const only = trx
    .selectFrom("tree_folders")
    .select("bearer")
    .where("client", "=", client)
    .where("bearer", "=", bearer.id)
    .where("brought", "=", sql.lit(0))
    .limit(MOST_FOLDERS)
    .as("only");
  const { count } = await trx
    .selectFrom(only)
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return count >= MOST_FOLDERS;
}
