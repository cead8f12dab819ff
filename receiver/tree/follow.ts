/**
 * Brings trees up to the ledger, a bounded number of entries in a transaction, so that commits never wait long for it and
 * its memory does not grow. Of each path only the newest entry counts, so it does not matter how far a tree was behind.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { sql } from "kysely";
import { named, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { type Newest, putFiles } from "./files.ts";
import { FolderChanges } from "./folders.ts";
import { parentOf } from "./place.ts";
import { type TreeDatabase, withTree } from "./schema.ts";

/** Entries of one transaction, at most. */
const ENTRIES = 200;
/** A path may have 2,048 folders: the transaction ends sooner where there are so many rows of them. */
const FOLDERS = 500;

/** Entries of all clients, from the first that is new: beyond it nothing is looked at, however wrong the database estimates. */
const WINDOW = 10_000;

/** A tree that is so many entries behind is brought up in any case. */
const FEW = 250;

/** One catching up at a time for a client: whoever comes meanwhile waits for it, and looks again. */
export class Follower {
  readonly #db: TreeDatabase;
  readonly #running = new Map<string, Promise<void>>();

  constructor(db: Database) {
    this.#db = withTree(db);
  }

  /** With all that is committed by now; it does not run after what is committed meanwhile. */
  async catchUp(client: string, stopping?: AbortSignal): Promise<void> {
    const { last } = await positionOf(this.#db, client);
    for (;;) {
      await this.#running.get(client)?.catch(() => {});
      const { at } = await positionOf(this.#db, client);
      if (at >= last || stopping?.aborted) return;
      if (this.#running.has(client)) continue;
      const run = this.#run(client, last, stopping).finally(() => this.#running.delete(client));
      this.#running.set(client, run);
      await run;
    }
  }

  /**
   * So far that this folder is as what is committed by now left it. Mostly nothing below it is new, and nobody waits for
   * a transaction: as after each of many small files, whose own newest entries are known without the tree.
   */
  async catchUpWith(client: string, source: string, folder: string): Promise<void> {
    const { last, at } = await positionOf(this.#db, client);
    if (at >= last) return;
    const behind = this.#db
      .selectFrom("entries")
      .select(["source", "path_encoded"])
      .where("client", "=", client)
      .where("seq", ">", at)
      .orderBy("seq")
      .limit(FEW);
    const entries = await named(() => behind.execute());
    const below = folder === "" ? "" : `${folder}/`;
    const concerned = entries.some(
      (entry) => entry.source === source && entry.path_encoded.startsWith(below),
    );
    if (concerned || entries.length === FEW) await this.catchUp(client);
  }

  async #run(client: string, last: number, stopping: AbortSignal | undefined): Promise<void> {
    while ((await writing(this.#db, (trx) => step(withTree(trx), client))) < last) {
      if (stopping?.aborted) return;
      await breathe();
    }
  }
}

/** Takes the one place of who changes this client's tree, until the transaction ends. Gives up to which entry it is. */
export async function lockTree(trx: TreeDatabase, client: string): Promise<number> {
  const { seq } = await trx
    .insertInto("tree_state")
    .values({ client, seq: 0 })
    .onConflict((oc) => oc.column("client").doUpdateSet((eb) => ({ seq: eb.ref("tree_state.seq") })))
    .returning("seq")
    .executeTakeFirstOrThrow();
  return seq;
}

/** The client's newest entry, and up to which its tree is. */
async function positionOf(
  db: TreeDatabase,
  client: string,
): Promise<{ readonly last: number; readonly at: number }> {
  const newest = db
    .selectFrom("entries")
    .select("seq")
    .where("client", "=", client)
    .orderBy("seq", "desc")
    .limit(1);
  const state = db.selectFrom("tree_state").select("seq").where("client", "=", client);
  const { rows } = await named(() =>
    sql<{
      last: number;
      at: number;
    }>`select coalesce((${newest}), 0) as last, coalesce((${state}), 0) as at`.execute(db),
  );
  return rows[0] as (typeof rows)[number];
}

async function step(trx: TreeDatabase, client: string): Promise<number> {
  const at = await lockTree(trx, client);
  const entries = await nextEntries(trx, client, at);
  const folders = new FolderChanges();
  const newest: Newest[] = [];
  let seq = at;
  for (const entry of entries) {
    const { source, bearer, path_encoded } = entry;
    folders.bring({ source, bearer, path: parentOf(path_encoded) }, entry.received_at, entry.kind);
    if (entry.newest !== null) newest.push(entry);
    seq = entry.seq;
    if (folders.size >= FOLDERS) break;
  }
  if (seq === at) return at;
  await putFiles(trx, client, newest, folders);
  await folders.apply(trx, client);
  await trx.updateTable("tree_state").set({ seq }).where("client", "=", client).execute();
  return seq;
}

/** Each costs a few steps in an index, however many entries and heads there are, and before the database knows how many. */
async function nextEntries(trx: TreeDatabase, client: string, at: number) {
  const first = trx
    .selectFrom("entries")
    .select("seq")
    .where("client", "=", client)
    .where("seq", ">", at)
    .orderBy("seq")
    .limit(1);
  const some = trx
    .selectFrom("entries")
    .select(["seq", "version_id", "kind", "source", "path_encoded", "path_hash", "bearer"])
    .select(["size", "modified_at", "received_at"])
    .where("client", "=", client)
    .where("seq", ">", at)
    .where("seq", "<", sql<number>`(${first}) + ${sql.lit(WINDOW)}`)
    .orderBy("seq")
    .limit(ENTRIES)
    .as("e");
  return await trx
    .selectFrom(some)
    // By its key, which is known to be of one row.
    .leftJoin("heads as h", (join) =>
      join
        .on("h.client", "=", client)
        .onRef("h.source", "=", "e.source")
        .onRef("h.path_hash", "=", "e.path_hash")
        .onRef("h.seq", "=", "e.seq"),
    )
    .leftJoin("modified_later as m", "m.version_id", "e.version_id")
    .select(["e.seq", "e.kind", "e.source", "e.path_encoded", "e.bearer", "e.size", "e.received_at"])
    .select((eb) => eb.fn.coalesce("m.modified_at", "e.modified_at").as("modified_at"))
    .select("h.seq as newest")
    .orderBy("e.seq")
    .execute();
}
