/**
 * The tree: what the sources of a client look like now, as folders. A tail of the ledger in tables beside it, so that a
 * folder of 100,000 files is listed without reading a client's whole history, and commits pay nothing for it.
 *  - Every call sees all that was committed before it, whichever receiver committed it.
 *  - A folder is there while a file is below it that is there, or while one who made it has not removed it.
 *  - An entry makes its source, which then stays like a folder that was made.
 *  - A path that is a file and a folder at once (two hosts may bring that) is a folder.
 */
import type { Bearer } from "../ledger/ledger.ts";

/**
 * Whose tree, and who looks. One who does not see all sees the files whose newest entry it brought itself, and the
 * folders that it made or that hold such files: of others' it learns nothing. `source`: it is bound to this one.
 */
export interface View {
  readonly client: string;
  readonly source?: string;
  readonly bearer: Bearer;
}

/** Of a file's newest version what a list shows. */
export interface ListedFile {
  readonly kind: "file";
  readonly pathEncoded: string;
  readonly seq: number;
  readonly size: number;
  /** RFC 3339: as the sender told after the commit, or before it; null when never. */
  readonly modifiedAt: string | null;
  readonly receivedAt: string;
}

/** The same with what reads it. */
export interface FileNode extends ListedFile {
  readonly versionId: string;
  readonly sha256: string;
  /** Of its bytes in the lake. */
  readonly key: string;
}

export interface FolderNode {
  readonly kind: "folder";
  /** Empty: the source itself. */
  readonly pathEncoded: string;
  /** When it first was there. */
  readonly madeAt: string;
}

/** A file whose newest entry is its removal. */
export interface RemovedNode {
  readonly kind: "removed";
  readonly pathEncoded: string;
  readonly seq: number;
  readonly receivedAt: string;
}

export interface Page<N> {
  /** In the order of their names' bytes; names of more than 400 bytes only roughly. */
  readonly nodes: readonly N[];
  /** For the next page's `after`; undefined: this was the last. */
  readonly next: string | undefined;
}

/** Which part of a folder; `only`: its files are left out, as a tree of folders wants it. */
export interface Part {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly only?: "folders" | undefined;
}

/** `Removed`: what it shows besides what is there. */
export interface Tree<Removed = never> {
  /** Names of the sources that the view sees, in order. */
  sources(view: View): Promise<readonly string[]>;
  /** Exactly this path; "" is the source. */
  find(view: View, source: string, pathEncoded: string): Promise<FileNode | FolderNode | Removed | undefined>;
  /** What is right inside a folder, at most `limit` names, fewer where they are long; nothing where no folder is (`find` tells). */
  list(
    view: View,
    source: string,
    folder: string,
    part: Part,
  ): Promise<Page<ListedFile | FolderNode | Removed>>;
}

/** Whose tree as it was: one who looks back sees all. */
export type PastView = Omit<View, "bearer">;

/** `sure` false: whether a file was below it at that time took too long to find out; it had held one before. */
export interface PastFolder extends FolderNode {
  readonly sure: boolean;
}

/**
 * The tree as it was after the last commit up to an instant. Files are exact. So are folders, by the files below them, but for
 *  - one that is not `sure`;
 *  - what was made by hand (it is no entry): shown from then on, while it still stands and its maker never sent anything
 *    from below it; one that was removed by hand since is not known.
 * A page may hold fewer nodes than `limit`, or none, and yet a `next`.
 */
export interface PastTree {
  sources(view: PastView): Promise<readonly string[]>;
  find(view: PastView, source: string, pathEncoded: string): Promise<FileNode | PastFolder | undefined>;
  list(view: PastView, source: string, folder: string, part: Part): Promise<Page<ListedFile | PastFolder>>;
}

/** Of a client's entries; RFC 3339. */
export interface Bounds {
  readonly firstAt: string;
  readonly lastAt: string;
}

/** What people do to a tree besides sending and removing files, which are entries of the ledger. */
export interface TreeChanges {
  /**
   * It stays until it is removed, also when all its files go: `there` means so, too. `file`: this path or one above it
   * is a file. `too-many`: the bearer has made 10,000 folders that never held a file.
   */
  makeFolder(
    view: View,
    source: string,
    pathEncoded: string,
  ): Promise<"made" | "there" | "file" | "too-many">;
  /** One that holds nothing that the view sees. */
  removeFolder(view: View, source: string, pathEncoded: string): Promise<"removed" | "not-empty" | "absent">;
  /** When the file was modified (RFC 3339), of its newest version alone; false: it is not that, or not the view's. */
  setModified(
    view: View,
    source: string,
    pathEncoded: string,
    version: { readonly versionId: string; readonly modifiedAt: string },
  ): Promise<boolean>;
}

export interface Trees {
  readonly now: Tree;
  /** As `now`, with what was removed: also folders of which nothing is left. A path may then come twice, once as a folder. */
  readonly ever: Tree<RemovedNode>;
  readonly changes: TreeChanges;
  /** As it was then, in ms since 1970. */
  asAt(instantMs: number): PastTree;
  /** Between which times `asAt` differs; undefined: nothing ever came. */
  bounds(client: string): Promise<Bounds | undefined>;
  /** In advance: the first look at a client with a long history takes a while. */
  catchUp(client: string, stopping?: AbortSignal): Promise<void>;
}
