/**
 * What is there for an SFTP client: the newest version of each path, as the tree has it; and in front of it what this
 * account itself has under way. One who may not read sees what it sent, and no more.
 */
import { slug } from "@tributary/shared/protocol.ts";
import type { Piecemeal } from "../../ingest/piecemeal.ts";
import type { FileNode, ListedFile } from "../../tree/tree.ts";
import type { Look } from "./attributes.ts";
import { encodedOf, type Place } from "./place.ts";
import { mayRead, type Visit } from "./visit.ts";

/** A path inside a source, which may be put there. */
export interface Target {
  readonly source: string;
  readonly path: Buffer;
  readonly pathEncoded: string;
}

export type Seen =
  /** `source` undefined: the root. `path`: "" is the source itself. */
  | {
      readonly kind: "folder";
      readonly source: string | undefined;
      readonly pathEncoded: string;
      readonly madeAt: string | undefined;
    }
  | { readonly kind: "version"; readonly target: Target; readonly node: FileNode }
  | { readonly kind: "unfinished"; readonly target: Target; readonly one: Piecemeal };

/** Undefined when there is nothing. */
export async function seen(visit: Visit, place: Place): Promise<Seen | undefined> {
  if (place.kind === "root") {
    const { source } = visit.account.principal;
    return { kind: "folder", source, pathEncoded: "", madeAt: undefined };
  }
  if (place.kind === "area") return undefined;
  if (place.kind === "top") {
    const source = await sourceNamed(visit, place.name);
    if (source !== undefined) return source;
  }
  const target = targetOf(visit, place);
  const found = target && (await seenAt(visit, target));
  // Of the default source `/` shows the files alone: its folders are in no way of sources of the same names.
  return place.kind === "top" && found?.kind === "folder" ? undefined : found;
}

/** Where a file of this place lies, or would. */
export function targetOf({ account }: Visit, place: Place): Target | undefined {
  if (place.kind !== "top" && place.kind !== "inside") return undefined;
  const path = place.kind === "top" ? place.name : place.path;
  const pathEncoded = encodedOf(path);
  if (pathEncoded === undefined) return undefined;
  return { source: place.kind === "top" ? account.defaultSource : place.source, path, pathEncoded };
}

/** A source that this account sees. */
export async function sourceNamed(visit: Visit, name: Buffer): Promise<Seen | undefined> {
  const { data: source } = slug.safeParse(name.toString("latin1"));
  if (source === undefined) return undefined;
  const { account, client, view, rooms } = visit;
  const found = await rooms.trees.now.find(view, source, "");
  const folder = { kind: "folder", source, pathEncoded: "" } as const;
  if (found?.kind === "folder") return { ...folder, madeAt: found.madeAt };
  const begun = rooms.unfinished.sourcesOf(account.principal.id, client).includes(source);
  return begun ? { ...folder, madeAt: undefined } : undefined;
}

export async function seenAt(visit: Visit, target: Target): Promise<Seen | undefined> {
  const { source, pathEncoded } = target;
  const { rooms, view } = visit;
  const one = await goingOn(visit, target);
  if (one !== undefined) return { kind: "unfinished", target, one };
  const found = await rooms.trees.now.find(view, source, pathEncoded);
  if (found?.kind === "folder") return { kind: "folder", source, pathEncoded, madeAt: found.madeAt };
  // What is a file and a folder at once is a folder.
  if (isBegun(visit, source, pathEncoded)) return { kind: "folder", source, pathEncoded, madeAt: undefined };
  return found && { kind: "version", target, node: found };
}

export function underWay(visit: Visit, target: Target): Piecemeal | undefined {
  return visit.rooms.unfinished.find(whereabouts(visit, target));
}

/** What another session ends this moment is waited for: it is a version then, or nothing. */
async function goingOn(visit: Visit, target: Target): Promise<Piecemeal | undefined> {
  for (;;) {
    const one = underWay(visit, target);
    if (one?.ending === undefined) return one;
    await one.ending;
  }
}

/** Of what only this account sees. */
export function whereabouts({ account, client }: Visit, { source, pathEncoded }: Target) {
  return { bearer: account.principal.id, client, source, pathEncoded };
}

/** Whether something is under way below this folder. */
function isBegun({ rooms, account, client }: Visit, source: string, folder: string): boolean {
  for (const { at } of rooms.unfinished.of(account.principal.id, client, source))
    if (at.pathEncoded.startsWith(`${folder}/`)) return true;
  return false;
}

export function lookOf(visit: Visit, what: Seen): Look {
  switch (what.kind) {
    case "folder": {
      const modified = what.madeAt === undefined ? visit.rooms.now() : Date.parse(what.madeAt);
      return { ...mayOf(visit), kind: "folder", size: 0, modified };
    }
    case "version":
      return lookOfFile(visit, what.node);
    case "unfinished": {
      const { modifiedAt, touchedAt, size } = what.one;
      const modified = modifiedAt === null ? touchedAt : Date.parse(modifiedAt);
      return { ...mayOf(visit), kind: "file", size, modified };
    }
  }
}

export function lookOfFile(visit: Visit, file: ListedFile): Look {
  return { ...mayOf(visit), kind: "file", size: file.size, modified: modifiedOf(file) };
}

function mayOf(visit: Visit): Pick<Look, "readable" | "writable"> {
  return { readable: mayRead(visit), writable: visit.account.principal.acts.has("write") };
}

export function modifiedOf(file: Pick<ListedFile, "modifiedAt" | "receivedAt">): number {
  return Date.parse(file.modifiedAt ?? file.receivedAt);
}
