/** Looking at a tree as it was: its names of all times, and of each what it was then. */
import { named } from "../ledger/database.ts";
import { instantOf } from "../ledger/entry.ts";
import type { Database } from "../ledger/schema.ts";
import type { Follower } from "./follow.ts";
import { endOfPage, first } from "./look.ts";
import { type Budget, thereAmong } from "./past-folders.ts";
import { filesAmong, folderAt, foldersIn, namesIn, type Then } from "./past-names.ts";
import { compareKeys, placeOf } from "./place.ts";
import { type Keyed, listedOf } from "./rows.ts";
import { type TreeDatabase, withTree } from "./schema.ts";
import { boundaryAt, statesAt } from "./states.ts";
import type { Bounds, FileNode, ListedFile, Page, Part, PastFolder, PastTree, PastView } from "./tree.ts";

/** Names that a page looks at, at most: of a folder that filled later, most are passed over. */
const MOST_NAMES = 1000;
/** Names below folders that one call looks at, to find out whether those were there. */
const MOST_BELOW = 2000;

export class Past implements PastTree {
  readonly #db: TreeDatabase;
  readonly #follower: Follower;
  readonly #instantMs: number;

  constructor(db: Database, follower: Follower, instantMs: number) {
    this.#db = withTree(db);
    this.#follower = follower;
    this.#instantMs = instantMs;
  }

  async sources(view: PastView): Promise<readonly string[]> {
    await this.#follower.catchUp(view.client);
    let query = this.#db
      .selectFrom("tree_folders")
      .select("source")
      .distinct()
      .where("client", "=", view.client)
      .where("parent_hash", "=", "")
      .where("made_at", "<=", this.#instantMs)
      .orderBy("source");
    if (view.source !== undefined) query = query.where("source", "=", view.source);
    return (await named(() => query.execute())).map(({ source }) => source);
  }

  async find(
    view: PastView,
    source: string,
    pathEncoded: string,
  ): Promise<FileNode | PastFolder | undefined> {
    const then = await this.#then(view, source, pathEncoded);
    if (then === undefined) return undefined;
    return await named(async () => {
      const candidate = await folderAt(then, placeOf(pathEncoded), pathEncoded);
      // A source stays from its first entry on.
      if (candidate !== undefined && pathEncoded === "") return { ...candidate.node, sure: true };
      const [folder] = candidate ? await thereAmong(then, [candidate], { left: MOST_BELOW }) : [];
      return folder?.sure ? folder : ((await fileAt(then, pathEncoded)) ?? folder);
    });
  }

  async list(
    view: PastView,
    source: string,
    folder: string,
    { after = "", limit, only }: Part,
  ): Promise<Page<ListedFile | PastFolder>> {
    const then = await this.#then(view, source, folder);
    if (then === undefined) return { nodes: [], next: undefined };
    return await named(async () => {
      const budget: Budget = { left: MOST_BELOW };
      const found: Keyed<ListedFile | PastFolder>[] = [];
      let next: string | undefined = after;
      for (let seen = 0; next !== undefined && seen < MOST_NAMES && found.length <= limit; ) {
        const window = await windowOf(then, folder, { after: next, limit: limit + 1, only }, budget);
        found.push(...window.nodes);
        next = window.next;
        seen += window.seen;
      }
      const end = endOfPage(found, limit, folder.length);
      const nodes = found.slice(0, end).map(({ node }) => node);
      return { nodes, next: end < found.length ? found[end - 1]?.key : next };
    });
  }

  /** Undefined: it is not the view's. */
  async #then(view: PastView, source: string, path: string): Promise<Then | undefined> {
    if (view.source !== undefined && view.source !== source) return undefined;
    await this.#follower.catchUpWith(view.client, source, path);
    const boundary = await named(() => boundaryAt(this.#db, this.#instantMs));
    return { db: this.#db, view, source, instantMs: this.#instantMs, boundary };
  }
}

/** What was there of the next so many names; `next`: where those end, undefined: there are no more. */
async function windowOf(
  then: Then,
  folder: string,
  from: Part & { readonly after: string },
  budget: Budget,
): Promise<{
  readonly nodes: readonly Keyed<ListedFile | PastFolder>[];
  readonly next: string | undefined;
  readonly seen: number;
}> {
  const [names, folders] = await Promise.all([
    from.only === undefined ? namesIn(then, folder, from) : [],
    foldersIn(then, folder, from),
  ]);
  const keys = first(folders, names).map(({ key }) => key);
  const next = keys.length >= from.limit ? keys[from.limit - 1] : undefined;
  const within = ({ key }: { readonly key: string }) => next === undefined || compareKeys(key, next) <= 0;
  const files = await filesAmong(then, names.filter(within));
  const candidates = folders.filter(within);
  const there = await thereAmong(
    then,
    candidates.map(({ node }) => node),
    budget,
  );
  const byPath = new Map(there.map((node) => [node.pathEncoded, node]));
  const seenAs = candidates.flatMap(({ key, node }): Keyed<PastFolder>[] => {
    const was = byPath.get(node.node.pathEncoded);
    return was === undefined ? [] : [{ key, node: was }];
  });
  // As in the tree of now, a path that is a file and a folder is a folder; where that is not sure, it is the file.
  const fileKeys = new Set(files.map(({ key }) => key));
  const sure = seenAs.filter(({ key, node }) => node.sure || !fileKeys.has(key));
  return { nodes: first(sure, files), next, seen: keys.length };
}

async function fileAt(then: Then, pathEncoded: string): Promise<FileNode | undefined> {
  if (pathEncoded === "") return undefined;
  const { db, view, source, instantMs, boundary } = then;
  const state = (await statesAt(db, view, source, instantMs, boundary, [pathEncoded])).get(pathEncoded);
  if (state?.kind !== "version") return undefined;
  const { version_id: versionId, sha256, lake_key } = state;
  // A version has all of them.
  return { ...listedOf(pathEncoded, state), versionId, sha256: sha256 as string, key: lake_key as string };
}

/** Entries among which the latest is looked for: in a ledger that was merged it may not be the one with the highest number. */
const LATEST = 1000;

/** The first is exact; the last where no more than 1,000 entries were numbered anew behind it. */
export async function boundsOf(
  db: Database,
  follower: Follower,
  client: string,
): Promise<Bounds | undefined> {
  await follower.catchUp(client);
  const tree = withTree(db);
  const latest = tree
    .selectFrom("entries")
    .select("received_at")
    .where("client", "=", client)
    .orderBy("seq", "desc")
    .limit(LATEST)
    .as("latest");
  const { last } = await named(() =>
    tree
      .selectFrom(latest)
      .select((eb) => eb.fn.max("received_at").as("last"))
      .executeTakeFirstOrThrow(),
  );
  const { first: begin } = await named(() =>
    tree
      .selectFrom("tree_folders")
      .select((eb) => eb.fn.min("made_at").as("first"))
      .where("client", "=", client)
      .where("parent_hash", "=", "")
      .where("name_key", "=", "")
      .where("brought", "=", 1)
      .executeTakeFirstOrThrow(),
  );
  if (last === null || begin === null) return undefined;
  return { firstAt: instantOf(begin), lastAt: instantOf(last) };
}
