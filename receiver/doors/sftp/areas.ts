/**
 * What is beside the sources for accounts that may see it, to be read only: `.history` with every version of every path,
 * and `.receipts` with the receipt of each file's newest version. No listing shows them, so that no mirror takes them
 * for files of its own.
 */
import { extname } from "node:path/posix";
import { percentDecode } from "@tributary/shared/path.ts";
import { type Entry, slug } from "@tributary/shared/protocol.ts";
import type { FolderNode, ListedFile, Tree } from "../../tree/tree.ts";
import type { Look } from "./attributes.ts";
import type { Listed } from "./listing.ts";
import { encodedOf, joined, type Place } from "./place.ts";
import { modifiedOf } from "./sight.ts";
import type { Visit } from "./visit.ts";

type AreaPlace = Extract<Place, { kind: "area" }>;

export type AreaSeen =
  | { readonly kind: "folder"; readonly look: Look; list(): AsyncGenerator<readonly Listed[]> }
  | { readonly kind: "text"; readonly look: Look; readonly bytes: Buffer }
  /** The bytes of a version. */
  | { readonly kind: "version"; readonly look: Look; readonly key: string };

const PAGE = 500;
const SUFFIX = ".jws";
/** `<time>_<versionId>` and what the file is called by; `.removed` for a removal. */
const VERSION = /^\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z_([0-9a-f-]{36})(?:\.[^/]*)?$/;

export function mayEnter({ account }: Visit, { area }: AreaPlace): boolean {
  return area === "history" ? account.history && account.principal.acts.has("read") : account.receipts;
}

export async function seenInArea(visit: Visit, place: AreaPlace): Promise<AreaSeen | undefined> {
  if (!mayEnter(visit, place)) return undefined;
  const [first, ...rest] = place.segments;
  const tree = place.area === "history" ? visit.rooms.trees.ever : visit.rooms.trees.now;
  if (first === undefined) return folder(() => sources(tree, visit));
  const source = slug.safeParse(first.toString("utf8"));
  if (!source.success) return undefined;
  const { source: only } = visit.account.principal;
  if (only !== undefined && only !== source.data) return undefined;
  return place.area === "history"
    ? await historyAt(visit, source.data, rest)
    : await receiptsAt(visit, source.data, rest);
}

/** Of the source itself: nothing. */
const pathOf = (segments: readonly Buffer[]): string | undefined =>
  segments.length === 0 ? "" : encodedOf(joined(segments));

async function historyAt(
  visit: Visit,
  source: string,
  segments: readonly Buffer[],
): Promise<AreaSeen | undefined> {
  const { trees } = visit.rooms;
  const [, versionId] = VERSION.exec(segments.at(-1)?.toString("utf8") ?? "") ?? [];
  if (versionId !== undefined) {
    const entry = await visit.rooms.history.version(versionId);
    const of = segments.length > 1 ? encodedOf(joined(segments.slice(0, -1))) : undefined;
    // Otherwise it may be a path that is called so.
    if (entry?.client === visit.client && entry.source === source && entry.pathEncoded === of) {
      const look = lookOfEntry(entry);
      return entry.key === null
        ? { kind: "text", look, bytes: Buffer.alloc(0) }
        : { kind: "version", look, key: entry.key };
    }
  }
  const path = pathOf(segments);
  if (path === undefined) return undefined;
  const found = await trees.ever.find(visit.view, source, path);
  return found && folder(() => historyOf(visit, source, path));
}

async function* historyOf(visit: Visit, source: string, path: string): AsyncGenerator<readonly Listed[]> {
  let last: string | undefined;
  for await (const node of below(visit.rooms.trees.ever, visit, source, path)) {
    const name = lastOf(node.pathEncoded);
    // A file and a folder of one name follow each other.
    if (name === last) continue;
    last = name;
    yield [{ name: percentDecode(name), look: FOLDER }];
  }
  if (path === "") return;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: Awaited<ReturnType<typeof visit.rooms.history.page>> = await visit.rooms.history.page({
      ...{ clients: [visit.client], source, pathEncoded: path, after, limit: PAGE },
    });
    yield page.entries.map((entry) => ({ name: Buffer.from(versionName(entry)), look: lookOfEntry(entry) }));
    after = page.next;
  }
}

function versionName({ receivedAt, versionId, path, kind }: Entry): string {
  const extension = extname(path);
  const plain = /^\.[A-Za-z0-9]{1,16}$/.test(extension) ? extension : "";
  return `${receivedAt.replaceAll(":", ".")}_${versionId}${kind === "removal" ? ".removed" : plain}`;
}

async function receiptsAt(
  visit: Visit,
  source: string,
  segments: readonly Buffer[],
): Promise<AreaSeen | undefined> {
  const { trees } = visit.rooms;
  const whole = joined(segments);
  if (whole.subarray(-SUFFIX.length).equals(Buffer.from(SUFFIX))) {
    // Only then is it a path: the longest there can be has a receipt, too.
    const of = encodedOf(whole.subarray(0, -SUFFIX.length));
    const node = of === undefined ? undefined : await trees.now.find(visit.view, source, of);
    if (node?.kind === "file") {
      const bytes = await receiptOf(visit, node);
      return { kind: "text", bytes, look: lookOfText(node, bytes.length) };
    }
  }
  const path = pathOf(segments);
  if (path === undefined) return undefined;
  const found = await trees.now.find(visit.view, source, path);
  return found?.kind === "folder" ? folder(() => receiptsOf(visit, source, path)) : undefined;
}

async function* receiptsOf(visit: Visit, source: string, path: string): AsyncGenerator<readonly Listed[]> {
  for await (const node of below(visit.rooms.trees.now, visit, source, path)) {
    const name = percentDecode(lastOf(node.pathEncoded));
    if (node.kind === "folder") yield [{ name, look: FOLDER }];
    else {
      const look = lookOfText(node, (await receiptOf(visit, node)).length);
      yield [{ name: Buffer.concat([name, Buffer.from(SUFFIX)]), look }];
    }
  }
}

async function receiptOf({ rooms, client }: Visit, { seq }: ListedFile): Promise<Buffer> {
  const [line] = await rooms.history.since(seq - 1, 1, { clients: [client] });
  return Buffer.from(line?.seq === seq ? `${line.receipt}\n` : "");
}

async function* below<R>(
  tree: Tree<R>,
  { view }: Visit,
  source: string,
  path: string,
): AsyncGenerator<ListedFile | FolderNode | R> {
  for (let after: string | undefined; ; ) {
    const page = await tree.list(view, source, path, { after, limit: PAGE });
    yield* page.nodes;
    if (page.next === undefined) return;
    after = page.next;
  }
}

async function* sources(
  tree: Pick<Tree<unknown>, "sources">,
  { view }: Visit,
): AsyncGenerator<readonly Listed[]> {
  const names = await tree.sources(view);
  yield names.map((name) => ({ name: Buffer.from(name), look: FOLDER }));
}

const FOLDER: Look = { kind: "folder", size: 0, modified: 0, readable: true, writable: false };

function folder(list: () => AsyncGenerator<readonly Listed[]>): AreaSeen {
  return { kind: "folder", look: FOLDER, list };
}

const lastOf = (pathEncoded: string): string => pathEncoded.slice(pathEncoded.lastIndexOf("/") + 1);

function lookOfEntry(entry: Pick<Entry, "size" | "modifiedAt" | "receivedAt">): Look {
  return { ...FOLDER, kind: "file", size: entry.size ?? 0, modified: modifiedOf(entry) };
}

function lookOfText(node: ListedFile, size: number): Look {
  return { ...FOLDER, kind: "file", size, modified: Date.parse(node.receivedAt) };
}
