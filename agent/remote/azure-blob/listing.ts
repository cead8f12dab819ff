/** What a container says of its blobs, as entries of folders. */
import { pathFault } from "@tributary/shared/path.ts";
import type { FileState } from "../../source/state.ts";
import { type Entry, RemoteError } from "../remote.ts";
import { tagId } from "../tag.ts";
import type { Access, Place } from "./access.ts";
import type { Etags } from "./etags.ts";
import { ARCHIVED } from "./failure.ts";
import { bareTag, textOf } from "./names.ts";
import { type BlobFacts, type Page, pageIn } from "./page.ts";

/** Blobs in one answer; 5,000 is the most, and takes more memory at once. */
const PAGE = 1_000;

/** Undefined: the service left out what makes a state. */
export function stateOf(facts: BlobFacts): FileState | undefined {
  const { contentLength, lastModified, etag } = facts;
  if (contentLength === undefined || lastModified === undefined || etag === undefined) return undefined;
  return {
    size: contentLength,
    mtimeNs: BigInt(lastModified.getTime()) * 1_000_000n,
    ctimeNs: 0n,
    fileId: tagId(bareTag(etag)),
  };
}

/** What stands for a folder where an account has hierarchical names, and where Hadoop wrote. */
export function isFolder(facts: BlobFacts): boolean {
  if (facts.contentLength !== 0) return false;
  const found = Object.entries(facts.metadata ?? {}).find(([key]) => key.toLowerCase() === "hdi_isfolder");
  return found?.[1] === "true";
}

/** A blob that can be named. */
export function entryOf(name: Buffer, facts: BlobFacts): Entry {
  const refused = (reason: string): Entry => ({ kind: "refused", name, reason });
  if (facts.archiveStatus !== undefined)
    return refused("it is being rehydrated, and is captured when that is done");
  if (facts.accessTier === "Archive") return refused(ARCHIVED);
  if (facts.copyStatus === "pending")
    return refused("it is still being copied to here, and is captured when that is done");
  const state = stateOf(facts);
  return state === undefined
    ? refused("the service does not say its size, time and ETag")
    : { kind: "file", name, state };
}

/** `prefix`: of the settings; `folder`: the path below it, empty or with a slash at its end. */
function entriesOf(prefix: string, folder: string, page: Pick<Page, "blobs" | "prefixes">): readonly Entry[] {
  const from = prefix.length + folder.length;
  const refuse = (name: string, fault: string): Entry => ({
    kind: "refused",
    // With its folder it reads as the whole name does.
    name: Buffer.from(name.slice(from) || "/"),
    reason: `${JSON.stringify(name)} cannot be the path of a file: ${fault}`,
  });
  const entries: Entry[] = [];
  for (const { name, facts } of page.blobs) {
    // The folder itself, as some programs put it there.
    if (isFolder(facts) || (name.length === from && facts.contentLength === 0)) continue;
    const fault = faultOf(name.slice(prefix.length));
    entries.push(fault === undefined ? entryOf(Buffer.from(name.slice(from)), facts) : refuse(name, fault));
  }
  for (const name of page.prefixes) {
    // One for all that lies in it.
    const fault = faultOf(`${name.slice(prefix.length)}x`);
    entries.push(
      fault === undefined ? { kind: "folder", name: Buffer.from(name.slice(from, -1)) } : refuse(name, fault),
    );
  }
  return entries;
}

function faultOf(path: string): string | undefined {
  return path.isWellFormed() ? pathFault(Buffer.from(path)) : "it is not Unicode";
}

/** One folder, page by page: no more is held than one of them. */
export async function* listFolder(
  access: Access,
  prefix: string,
  folder: Buffer,
  etags: Etags,
  signal: AbortSignal,
): AsyncIterable<readonly Entry[]> {
  const path = textOf(folder);
  if (path === undefined) return;
  const below = path === "" ? "" : `${path}/`;
  const asked = { what: `listing ${JSON.stringify(`${prefix}${below}`)}`, right: "l" } as const;
  for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
    const page = await access.ask(
      asked,
      (place, stop) => pageOf(place, `${prefix}${below}`, PAGE, token, stop),
      signal,
    );
    token = page.token;
    for (const { facts } of page.blobs) if (facts.etag !== undefined) etags.keep(facts.etag);
    yield entriesOf(prefix, below, page);
    signal.throwIfAborted();
  }
}

/** "List Blobs". */
export async function pageOf(
  place: Place,
  prefix: string,
  most: number,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Page> {
  const query = {
    comp: "list",
    delimiter: "/",
    include: "copy,metadata",
    maxresults: `${most}`,
    restype: "container",
    ...(prefix === "" ? {} : { prefix }),
    ...(token === undefined ? {} : { marker: token }),
  };
  const page = pageIn(await place.list(query, signal));
  if (page !== undefined) return page;
  throw new RemoteError("failed", `listing ${JSON.stringify(prefix)}: the answer cannot be read`);
}
