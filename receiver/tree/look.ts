/** Looking at a tree, as it is now or with all that ever was. */
import { named } from "../ledger/database.ts";
import { pathHash } from "../ledger/entry.ts";
import type { Database } from "../ledger/schema.ts";
import type { Follower } from "./follow.ts";
import { compareKeys } from "./place.ts";
import { fileAt, filesIn, folderAt, foldersIn, type Keyed, removedIn, sourcesOf } from "./rows.ts";
import { type TreeDatabase, withTree } from "./schema.ts";
import type { FileNode, FolderNode, ListedFile, Page, Part, RemovedNode, Tree, View } from "./tree.ts";

/** Of names in a page, in characters: they are long in few folders, and a page waits in each that somebody lists. */
const LONGEST_PAGE = 256 * 1024;

export class Look implements Tree<RemovedNode> {
  readonly #db: TreeDatabase;
  readonly #follower: Follower;
  readonly #ever: boolean;

  constructor(db: Database, follower: Follower, ever: boolean) {
    this.#db = withTree(db);
    this.#follower = follower;
    this.#ever = ever;
  }

  async sources(view: View): Promise<readonly string[]> {
    await this.#follower.catchUp(view.client);
    return await named(() => sourcesOf(this.#db, view, this.#ever));
  }

  async find(
    view: View,
    source: string,
    pathEncoded: string,
  ): Promise<FileNode | FolderNode | RemovedNode | undefined> {
    if (!sees(view, source)) return undefined;
    await this.#follower.catchUpWith(view.client, source, pathEncoded);
    const [folder, file] = await named(() =>
      Promise.all([
        folderAt(this.#db, view, source, pathEncoded, this.#ever),
        pathEncoded === "" ? undefined : fileAt(this.#db, view, source, pathEncoded),
      ]),
    );
    if (folder !== undefined) return folder;
    return file?.kind === "removed" && !this.#ever ? undefined : file;
  }

  async list(
    view: View,
    source: string,
    folder: string,
    { after = "", limit, only }: Part,
  ): Promise<Page<ListedFile | FolderNode | RemovedNode>> {
    if (!sees(view, source)) return { nodes: [], next: undefined };
    await this.#follower.catchUpWith(view.client, source, folder);
    const range = { source, parent_hash: pathHash(folder), after, limit: limit + 1 };
    const whole = only === undefined;
    const [folders, files, removed] = await named(() =>
      Promise.all([
        foldersIn(this.#db, view, folder, range, this.#ever),
        whole ? filesIn(this.#db, view, folder, range) : [],
        whole && this.#ever ? removedIn(this.#db, view, folder, range) : [],
      ]),
    );
    // One that came back is no more removed, one that is a folder now is a folder.
    const there = this.#ever ? merged(folders, first(files, removed)) : first(folders, files);
    const end = endOfPage(there, limit, folder.length);
    const nodes = there.slice(0, end).map(({ node }) => node);
    return { nodes, next: end < there.length ? there[end - 1]?.key : undefined };
  }
}

/** Where the next page begins. What has one key stays together. */
export function endOfPage(
  there: readonly Keyed<{ readonly pathEncoded: string }>[],
  limit: number,
  folderLength: number,
): number {
  let names = 0;
  let characters = 0;
  for (const [i, { key, node }] of there.entries()) {
    if (key !== there[i - 1]?.key) {
      if (names === limit || characters > LONGEST_PAGE) return i;
      names += 1;
    }
    characters += node.pathEncoded.length - folderLength;
  }
  return there.length;
}

export function sees(view: View, source: string): boolean {
  return view.source === undefined || view.source === source;
}

/** Both, each in order, in one order; of one key the first list's stands first. */
function merged<A, B>(one: readonly Keyed<A>[], other: readonly Keyed<B>[]): Keyed<A | B>[] {
  const both: Keyed<A | B>[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [one[i], other[j]];
    if (a === undefined) return both.concat(other.slice(j));
    if (b === undefined) return both.concat(one.slice(i));
    if (compareKeys(a.key, b.key) <= 0) {
      both.push(a);
      i += 1;
    } else {
      both.push(b);
      j += 1;
    }
  }
}

/** As `merged`, and of one key only the first list's. */
export function first<A, B>(one: readonly Keyed<A>[], other: readonly Keyed<B>[]): Keyed<A | B>[] {
  return merged(one, other).filter(({ key }, i, all) => all[i - 1]?.key !== key);
}
