/**
 * What some entries, or somebody by hand, change of a client's folders: gathered first, then brought up from the deepest
 * to the source, because a folder that comes or goes counts for the one above it. There is one row per folder and bearer.
 */
import { sql } from "kysely";
import { chunks, rows } from "../ledger/chunks.ts";
import { nameOf, type Place, parentOf, placeOf } from "./place.ts";
import type { FolderTable, TreeDatabase } from "./schema.ts";

/** A bearer's part in a folder. */
export interface Part {
  readonly source: string;
  readonly bearer: string;
  readonly path: string;
}

interface Touched extends Part {
  at: number;
  /** When something was first removed from below. */
  lost: number | null;
  brought: boolean;
  made: boolean | undefined;
  /** What is right inside: so many more, or fewer. */
  held: number;
}

export class FolderChanges {
  readonly #touched = new Map<string, Touched>();

  /** Rows that may change: what applying them costs. */
  get size(): number {
    return this.#touched.size;
  }

  /** An entry of the bearer came from right inside. It makes the source. */
  bring(part: Part, at: number, kind: "version" | "removal"): void {
    this.#touch(part, at, true);
    this.#touch({ ...part, path: "" }, at, true).made = true;
    if (kind === "removal") this.#lose(part, at);
  }

  /** From what was touched, and all above it. */
  #lose(part: Part, at: number): void {
    for (let path = part.path; ; path = parentOf(path)) {
      const touched = this.#touched.get(refOf({ ...part, path })) as Touched;
      if (touched.lost !== null && touched.lost <= at) break;
      touched.lost = at;
      if (path === "") break;
    }
  }

  /** A file of the bearer right inside is there now (1), or no more (-1). */
  hold(part: Part, change: 1 | -1, at: number): void {
    this.#touch(part, at, false).held += change;
  }

  make(part: Part, made: boolean, at: number): void {
    this.#touch(part, at, false).made = made;
  }

  /** With all above it, which it may count for. */
  #touch(part: Part, at: number, brought: boolean): Touched {
    for (let path = part.path; ; path = parentOf(path)) {
      const ref = refOf({ ...part, path });
      const before = this.#touched.get(ref);
      if (before === undefined)
        this.#touched.set(ref, { ...part, path, at, lost: null, brought, made: undefined, held: 0 });
      else if ((before.brought || !brought) && before.at <= at) break;
      else {
        before.brought ||= brought;
        // Entries that a merge numbered anew come later than they were committed.
        before.at = Math.min(before.at, at);
      }
      if (path === "") break;
    }
    return this.#touched.get(refOf(part)) as Touched;
  }

  async apply(trx: TreeDatabase, client: string): Promise<void> {
    const parts = [...this.#touched.values()].map((touched) => ({ touched, place: placeOf(touched.path) }));
    const found = await rowsOf(
      trx,
      client,
      parts.map(({ touched, place }) => keyOf(touched, place)),
    );
    const [put, gone]: [FolderTable[], string[][]] = [[], []];
    // A folder's path is longer than that of the one above it.
    for (const { touched, place } of parts.sort((a, b) => b.touched.path.length - a.touched.path.length)) {
      const key = keyOf(touched, place);
      const before = found.get(key.join("\0"));
      const after = changed(before, touched, client, place);
      if (isThere(before) !== isThere(after) && touched.path !== "")
        (this.#touched.get(refOf({ ...touched, path: parentOf(touched.path) })) as Touched).held += isThere(
          after,
        )
          ? 1
          : -1;
      if (isThere(after) || after.brought === 1) {
        if (!same(before, after)) put.push(after);
      } else if (before !== undefined) gone.push(key);
    }
    for (const some of chunks(put)) await putRows(trx, some);
    for (const some of chunks(gone))
      await trx.deleteFrom("tree_folders").where(among(client, some)).execute();
  }
}

/** Whether one who brought or made it sees it. */
export function isThere(row: Pick<FolderTable, "made" | "holds"> | undefined): boolean {
  return row !== undefined && (row.made === 1 || row.holds > 0);
}

function changed(
  before: FolderTable | undefined,
  touched: Touched,
  client: string,
  place: Place,
): FolderTable {
  const { source, bearer, path, at, lost, brought, made, held } = touched;
  return {
    client,
    ...place,
    source,
    bearer,
    name: before?.name ?? nameOf(path),
    made: made === undefined ? (before?.made ?? 0) : made ? 1 : 0,
    brought: brought ? 1 : (before?.brought ?? 0),
    holds: (before?.holds ?? 0) + held,
    made_at: Math.min(before?.made_at ?? at, at),
    lost_at: earliest(before?.lost_at ?? null, lost),
  };
}

function earliest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function same(before: FolderTable | undefined, after: FolderTable): boolean {
  return (
    before?.made === after.made &&
    before.brought === after.brought &&
    before.holds === after.holds &&
    before.made_at === after.made_at &&
    before.lost_at === after.lost_at
  );
}

function refOf({ source, bearer, path }: Part): string {
  return `${source}\0${bearer}\0${path}`;
}

function keyOf({ source, bearer }: Part, { parent_hash, name_key }: Place): string[] {
  return [parent_hash, source, name_key, bearer];
}

/** As for files. */
function among(client: string, keys: readonly (readonly string[])[]) {
  const all = keys.map((key) => [client, ...key]);
  return sql<boolean>`(client, parent_hash, source, name_key, bearer) in (${rows(all)})`;
}

async function rowsOf(
  trx: TreeDatabase,
  client: string,
  keys: readonly (readonly string[])[],
): Promise<ReadonlyMap<string, FolderTable>> {
  const found = new Map<string, FolderTable>();
  for (const some of chunks(keys)) {
    const query = trx.selectFrom("tree_folders").selectAll().where(among(client, some));
    for (const row of await query.execute())
      found.set([row.parent_hash, row.source, row.name_key, row.bearer].join("\0"), row);
  }
  return found;
}

async function putRows(trx: TreeDatabase, folders: readonly FolderTable[]): Promise<void> {
  await trx
    .insertInto("tree_folders")
    .values(folders)
    .onConflict((oc) =>
      oc.columns(["client", "parent_hash", "source", "name_key", "bearer"]).doUpdateSet((eb) => ({
        made: eb.ref("excluded.made"),
        brought: eb.ref("excluded.brought"),
        holds: eb.ref("excluded.holds"),
        made_at: eb.ref("excluded.made_at"),
        lost_at: eb.ref("excluded.lost_at"),
      })),
    )
    .execute();
}
