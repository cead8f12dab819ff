/** The names in a folder, page by page, so that no folder is ever in memory as a whole. */
import { percentDecode } from "@tributary/shared/path.ts";
import type { FolderNode, ListedFile } from "../../tree/tree.ts";
import type { Look } from "./attributes.ts";
import { AREAS } from "./place.ts";
import { lookOf, lookOfFile, type Seen } from "./sight.ts";
import type { Visit } from "./visit.ts";

export interface Listed {
  readonly name: Buffer;
  readonly look: Look;
}

const PAGE = 1000;
/** In `/` these names lead elsewhere. */
const TAKEN: readonly string[] = Object.values(AREAS);

/** What is right inside it, in front of which stands what the account has under way there. */
export async function* listed(
  visit: Visit,
  folder: Extract<Seen, { kind: "folder" }>,
): AsyncGenerator<readonly Listed[]> {
  const itself = lookOf(visit, folder);
  const named = (name: string): Listed => ({ name: Buffer.from(name), look: itself });
  yield [named("."), named("..")];
  if (folder.source !== undefined) {
    // By the name of its source a bound account reaches the source itself.
    const own = folder.pathEncoded === "" ? visit.account.principal.source : undefined;
    const hidden = new Set(own === undefined ? [] : [own, ...TAKEN]);
    yield* inside(visit, folder.source, folder.pathEncoded, hidden);
    return;
  }
  const sources = await sourcesOf(visit);
  // The default source is seen by its files: shown as a folder too, a mirror of `/` would take that for something to delete.
  yield [...sources].filter((name) => name !== visit.account.defaultSource).map(named);
  // A file of this name would be hidden by the source.
  for await (const page of inside(visit, visit.account.defaultSource, "", new Set([...sources, ...TAKEN])))
    yield page.filter(({ look }) => look.kind === "file");
}

async function sourcesOf({ rooms, view, account, client }: Visit): Promise<ReadonlySet<string>> {
  const seen = await rooms.trees.now.sources(view);
  const begun = rooms.unfinished.sourcesOf(account.principal.id, client);
  return new Set([...seen, ...begun].toSorted());
}

async function* inside(
  visit: Visit,
  source: string,
  folder: string,
  hidden: ReadonlySet<string>,
): AsyncGenerator<readonly Listed[]> {
  const { rooms, view, account, client } = visit;
  const shown = new Set<string>(hidden);
  const head = folder === "" ? "" : `${folder}/`;
  const begun: Listed[] = [];
  for (const one of [...rooms.unfinished.of(account.principal.id, client, source)]) {
    if (!one.at.pathEncoded.startsWith(head)) continue;
    const [name = "", ...deeper] = one.at.pathEncoded.slice(head.length).split("/");
    if (shown.has(name)) continue;
    shown.add(name);
    const target = { source, path: percentDecode(head + name), pathEncoded: head + name };
    const what: Seen =
      deeper.length === 0
        ? { kind: "unfinished", target, one }
        : { kind: "folder", source, pathEncoded: head + name, madeAt: undefined };
    begun.push({ name: percentDecode(name), look: lookOf(visit, what) });
  }
  yield begun;
  for (let after: string | undefined; ; ) {
    const page = await rooms.trees.now.list(view, source, folder, { after, limit: PAGE });
    const there: Listed[] = [];
    for (const node of page.nodes) {
      const name = node.pathEncoded.slice(head.length);
      // The ledger's own, which needs no check.
      if (!shown.has(name)) there.push({ name: percentDecode(name), look: lookOfNode(visit, source, node) });
    }
    yield there;
    if (page.next === undefined) return;
    after = page.next;
  }
}

function lookOfNode(visit: Visit, source: string, node: ListedFile | FolderNode): Look {
  if (node.kind === "file") return lookOfFile(visit, node);
  return lookOf(visit, { kind: "folder", source, pathEncoded: node.pathEncoded, madeAt: node.madeAt });
}
