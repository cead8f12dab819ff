/** What SFTP clients do to names: make and remove folders, remove and rename files, set their times and sizes. */
import { randomUUID } from "node:crypto";
import { requirePath } from "@tributary/shared/path.ts";
import { slug } from "@tributary/shared/protocol.ts";
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { require } from "../../identity/principal.ts";
import { timeOf } from "./attributes.ts";
import { absolute, lastSegment, type Place } from "./place.ts";
import { record } from "./recording.ts";
import { refuse } from "./refusal.ts";
import { TIDIED_WITHIN_MS } from "./refused.ts";
import {
  type Seen,
  seen,
  seenAt,
  sourceNamed,
  type Target,
  targetOf,
  underWay,
  whereabouts,
} from "./sight.ts";
import type { Visit } from "./visit.ts";
import { isOpenElsewhere, openToWrite, prepareAs } from "./writing.ts";

/** For people: as they would type it. */
export const shown = (path: Buffer): string => `"${(absolute(path) ?? path).toString("utf8").slice(0, 300)}"`;

/** Where a file may be put. Throws what refuses the name, the source or the act. */
export async function targetToWrite(visit: Visit, place: Place, path: Buffer): Promise<Target> {
  const target = targetOf(visit, place);
  if (target === undefined) {
    if (place.kind === "inside") requirePath(place.path);
    if (place.kind === "top") requirePath(place.name);
    throw refuse.denied(`${shown(path)} is no place for a file`);
  }
  const { account } = visit;
  require(account.principal, "write", target.source);
  if (place.kind === "top" && (await seenAt(visit, target))?.kind === "folder")
    throw refuse.failure(`${shown(Buffer.concat([Buffer.from(`/${target.source}/`), path]))} is a folder`);
  if (
    place.kind === "inside" &&
    target.source !== account.defaultSource &&
    account.principal.source === undefined
  )
    if ((await sourceNamed(visit, Buffer.from(target.source))) === undefined)
      throw refuse.absent(
        `folder "/${target.source}"${account.mayMakeSources ? ": make it first, it becomes a source" : ""}`,
      );
  return target;
}

export async function makeFolder(visit: Visit, place: Place, path: Buffer): Promise<void> {
  const { account, rooms, view } = visit;
  if (place.kind === "root" || place.kind === "area") throw refuse.known(shown(path));
  if (place.kind === "top") {
    const name = slug.safeParse(place.name.toString("utf8"));
    if (!name.success)
      throw refuse.failure(
        `source-invalid: a folder in / is a source, and ${shown(path)} is no name of one (a-z, 0-9 and -); inside one any name will do, such as ${shown(Buffer.concat([Buffer.from(`/${account.defaultSource}/`), place.name]))}`,
      );
    require(account.principal, "write", name.data);
    if (!account.mayMakeSources) throw refuse.denied("this account makes no sources");
    if ((await seen(visit, place)) !== undefined) throw refuse.known(shown(path));
    await made(rooms.trees.changes.makeFolder(view, name.data, ""), path);
    return;
  }
  const { source, pathEncoded } = await targetToWrite(visit, place, path);
  if ((await seen(visit, place)) !== undefined) throw refuse.known(shown(path));
  await made(rooms.trees.changes.makeFolder(view, source, pathEncoded), path);
}

async function made(making: Promise<"made" | "there" | "file" | "too-many">, path: Buffer): Promise<void> {
  switch (await making) {
    case "made":
    case "there":
      return;
    case "file":
      throw refuse.failure(`${shown(path)}: a file is in the way`);
    case "too-many":
      throw refuse.failure(
        `${shown(path)}: this account has made very many folders and put nothing into them`,
      );
  }
}

export async function removeFolder(visit: Visit, place: Place, path: Buffer): Promise<void> {
  const found = await requireSeen(visit, place, path);
  if (found.kind !== "folder") throw refuse.failure(`${shown(path)} is no folder`);
  if (place.kind === "root" || found.source === undefined) throw refuse.denied(`${shown(path)} stays`);
  const { account, rooms, view, client } = visit;
  require(account.principal, "write", found.source);
  const head = found.pathEncoded === "" ? "" : `${found.pathEncoded}/`;
  for (const { at } of rooms.unfinished.of(account.principal.id, client, found.source))
    if (at.pathEncoded.startsWith(head)) throw notEmpty(path);
  if ((await rooms.trees.changes.removeFolder(view, found.source, found.pathEncoded)) === "not-empty")
    throw notEmpty(path);
}

const notEmpty = (path: Buffer) => refuse.failure(`${shown(path)} is not empty`);

/** Of what is under way nothing stays; of a version, a removal is recorded. */
export async function removeFile(visit: Visit, place: Place, path: Buffer): Promise<string> {
  const target = targetOf(visit, place);
  if (target !== undefined && visit.rooms.refused.remove(whereabouts(visit, target))) {
    const left = underWay(visit, target);
    // What is open is a later try.
    if (left?.users === 0) await left.discard();
    return "what was refused is gone";
  }
  const found = await requireSeen(visit, place, path);
  if (found.kind === "folder") throw refuse.failure(`${shown(path)} is a folder`);
  const { source, pathEncoded } = found.target;
  if (found.kind === "unfinished") {
    require(visit.account.principal, "write", source);
    await found.one.remove(!isOpenElsewhere(visit, found.one));
    // A program that could not end an upload takes away what it left, at once: not what that was to replace.
    const { closed, touchedAt } = found.one;
    if (!closed && visit.rooms.now() - touchedAt < TIDIED_WITHIN_MS) return "what was under way is gone";
    // Later it is people, who want gone what they see, and what it would have replaced, too.
    const behind = await seen(visit, place);
    if (behind?.kind !== "version") return "what was under way is gone";
  }
  return await recordRemoval(visit, source, pathEncoded);
}

async function recordRemoval(visit: Visit, source: string, pathEncoded: string): Promise<string> {
  const { account, client, rooms } = visit;
  requireRemoval(visit, source);
  // As on a disk, its folder stays when it was the last file in it: programs go on in it, or remove it themselves.
  const folder = pathEncoded.slice(0, Math.max(0, pathEncoded.lastIndexOf("/")));
  if (folder !== "") await rooms.trees.changes.makeFolder(visit.view, source, folder);
  const removal = { source, pathEncoded, captureId: randomUUID() };
  const { status, versionId } = await rooms.ingest.removal(account.principal, client, removal, "sftp");
  return `${status} ${versionId}`;
}

function requireRemoval({ account: { principal } }: Visit, source: string): void {
  if (!principal.acts.has("remove"))
    throw refuse.denied("forbidden: this account removes nothing; what was delivered stays as it is");
  require(principal, "remove", source);
}

/** `replace`: what is there already gives way, as POSIX renames. Without it the draft wants a refusal. */
export async function rename(
  visit: Visit,
  from: NamedPlace,
  to: NamedPlace,
  replace: boolean,
): Promise<string> {
  const found = await requireSeen(visit, from.place, from.path);
  if (to.place.kind === "top" && found.kind === "folder") throw renamesNoFolder();
  const target = await targetToWrite(visit, to.place, to.path);
  const there = await seen(visit, to.place);
  if (there?.kind === "folder" || (there !== undefined && !replace && !same(there, found)))
    throw refuse.failure(`${shown(to.path)} is there already`);
  if (found.kind === "folder") return await renameFolder(visit, found, target, from.path);
  require(visit.account.principal, "write", found.target.source);
  if (there !== undefined && same(there, found)) return "the same name";
  return found.kind === "unfinished"
    ? await renameUnfinished(visit, found, target, from.path)
    : await renameVersion(visit, found, target);
}

export interface NamedPlace {
  readonly place: Place;
  readonly path: Buffer;
}

function same(one: Seen, other: Seen): boolean {
  return (
    one.kind !== "folder" &&
    other.kind !== "folder" &&
    one.target.source === other.target.source &&
    one.target.pathEncoded === other.target.pathEncoded
  );
}

async function renameUnfinished(
  visit: Visit,
  { one }: Extract<Seen, { kind: "unfinished" }>,
  target: Target,
  path: Buffer,
): Promise<string> {
  const { rooms } = visit;
  if (!one.closed && isOpenElsewhere(visit, one))
    throw refuse.failure(
      `${shown(path)} is being written by another session; it is renamed when it is closed`,
    );
  const waits = rooms.isTemporary(lastSegment(target.path)) || (!one.closed && one.users > 0);
  if (!waits && !one.closed)
    throw refuse.failure(
      `length-mismatch: the upload of ${shown(path)} was cut off after ${one.size} bytes; go on with it, or send it again`,
    );
  rooms.refused.forget(whereabouts(visit, target));
  if (waits) {
    await one.rename(target.source, target.pathEncoded);
    return "it is recorded when it is whole and has its last name";
  }
  return await record(visit, one, target);
}

/** The same bytes under another name, and a removal of the first: in the ledger both have their place. */
async function renameVersion(
  visit: Visit,
  { target: from, node }: Extract<Seen, { kind: "version" }>,
  target: Target,
): Promise<string> {
  const { rooms } = visit;
  requireRemoval(visit, from.source);
  rooms.refused.forget(whereabouts(visit, target));
  const one = await prepareAs(visit, target, node);
  one.modifiedAt = node.modifiedAt;
  let words = "it is recorded when it has its last name";
  if (rooms.isTemporary(lastSegment(target.path))) {
    one.closed = true;
    await rooms.unfinished.show(one);
    await one.keep();
  } else {
    // What is under way there gives way to it, as to every other rename.
    words = await record(visit, one, target);
  }
  await recordRemoval(visit, from.source, from.pathEncoded);
  return words;
}

async function renameFolder(
  visit: Visit,
  folder: Extract<Seen, { kind: "folder" }>,
  target: Target,
  path: Buffer,
): Promise<string> {
  if (folder.source === undefined || folder.pathEncoded === "") throw renamesNoFolder();
  const { rooms, view, account, client } = visit;
  if (target.source === folder.source && target.pathEncoded.startsWith(`${folder.pathEncoded}/`))
    throw refuse.failure(`${shown(path)} cannot be moved into itself`);
  for (const { at } of rooms.unfinished.of(account.principal.id, client, folder.source))
    if (at.pathEncoded.startsWith(`${folder.pathEncoded}/`)) throw renamesNoFolder();
  const { nodes } = await rooms.trees.now.list(view, folder.source, folder.pathEncoded, { limit: 1 });
  if (nodes.length > 0) throw renamesNoFolder();
  await made(rooms.trees.changes.makeFolder(view, target.source, target.pathEncoded), path);
  await rooms.trees.changes.removeFolder(view, folder.source, folder.pathEncoded);
  return "";
}

const renamesNoFolder = () =>
  refuse.failure(
    "a folder with files in it is not renamed: that would record each of them anew; make the other folder and send them there",
  );

export async function setAttributes(
  visit: Visit,
  place: Place,
  path: Buffer,
  wanted: Attributes,
): Promise<void> {
  const found = await requireSeen(visit, place, path);
  if (found.kind === "folder" || (wanted.size === undefined && wanted.modified === undefined)) return;
  const { source } = found.target;
  require(visit.account.principal, "write", source);
  if (found.kind === "unfinished") {
    const { one } = found;
    const { closed } = one;
    if (wanted.size !== undefined) await one.resize(wanted.size);
    one.closed = closed;
    if (wanted.modified !== undefined) one.modifiedAt = timeOf(wanted.modified);
    return;
  }
  if (wanted.size !== undefined) {
    const handle = await openToWrite(visit, found.target, { base: found.node, append: false, begin: false });
    try {
      await handle.set?.(wanted);
    } catch (error) {
      await handle.abandon();
      throw error;
    }
    await handle.close();
    return;
  }
  const modifiedAt = timeOf(wanted.modified ?? 0);
  await visit.rooms.trees.changes.setModified(visit.view, source, found.target.pathEncoded, {
    versionId: found.node.versionId,
    modifiedAt,
  });
}

async function requireSeen(visit: Visit, place: Place, path: Buffer): Promise<Seen> {
  if (place.kind === "area") throw refuse.denied(`${shown(path)} can only be read`);
  const found = await seen(visit, place);
  if (found === undefined) throw refuse.absent(`file or folder ${shown(path)}`);
  return found;
}
