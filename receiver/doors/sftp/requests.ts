/** What each request does. Everything it throws is a refusal, or a fault of ours. */

import { OPEN, STATUS, type Status } from "@tributary/shared/sftp/words.ts";
import { mayEnter, seenInArea } from "./areas.ts";
import { attributesOf, type Look } from "./attributes.ts";
import {
  makeFolder,
  removeFile,
  removeFolder,
  rename,
  setAttributes,
  shown,
  targetToWrite,
} from "./changes.ts";
import { OpenFolder } from "./folder.ts";
import type { Handle, Handles } from "./handles.ts";
import { listed } from "./listing.ts";
import { absolute, type Place, placeOf } from "./place.ts";
import { ReadingText, readVersion } from "./reading.ts";
import { ReadingUnfinished } from "./reading-unfinished.ts";
import { refuse } from "./refusal.ts";
import { lookOf, seen, targetOf, whereabouts } from "./sight.ts";
import { mayRead, type Visit } from "./visit.ts";
import type { Request } from "./wire.ts";
import { attributesAnswer, dataHead, handleAnswer, limitsAnswer, nameAnswer } from "./wire-answers.ts";
import { openToWrite } from "./writing.ts";

export type Obeyed =
  | { readonly answer: readonly Buffer[] }
  | { readonly status: Status; readonly words: string };

const DONE: Obeyed = { status: STATUS.ok, words: "" };

/** All but `close`. */
export async function obey(
  visit: Visit,
  handles: Handles,
  request: Exclude<Request, { readonly kind: "close" }>,
): Promise<Obeyed> {
  visit.stillAllowed();
  const { id } = request;
  switch (request.kind) {
    case "open":
      handles.requireRoom();
      return { answer: [handleAnswer(id, handles.add(await open(visit, request.path, request.flags)))] };
    case "opendir":
      handles.requireRoom();
      return { answer: [handleAnswer(id, handles.add(await openFolder(visit, request.path)))] };
    case "read": {
      const handle = handles.get(request.handle);
      if (handle.read === undefined) throw refuse.failure(`this handle is a ${handle.what}`);
      const bytes = await handle.read(request.offset, request.length);
      return { answer: [dataHead(id, bytes.length), bytes] };
    }
    case "write": {
      const handle = handles.get(request.handle);
      if (handle.write === undefined) throw refuse.failure(`this handle is a ${handle.what}`);
      await handle.write(request.bytes, request.offset);
      return DONE;
    }
    case "readdir": {
      const handle = handles.get(request.handle);
      if (handle.names === undefined) throw refuse.failure(`this handle is a ${handle.what}`);
      const names = await handle.names();
      if (names === undefined) throw refuse.end();
      return { answer: [nameAnswer(id, names)] };
    }
    case "fstat":
      return { answer: [attributesAnswer(id, await handles.get(request.handle).attributes())] };
    case "fsetstat":
      await handles.get(request.handle).set?.(request.attributes);
      return DONE;
    case "fsync":
      await handles.get(request.handle).sync?.();
      return DONE;
    case "stat":
    case "lstat":
      return { answer: [attributesAnswer(id, await look(visit, request.path))] };
    case "setstat":
      await setAttributes(visit, requirePlace(visit, request.path), request.path, request.attributes);
      return DONE;
    case "mkdir":
      await makeFolder(visit, requirePlace(visit, request.path), request.path);
      return DONE;
    case "rmdir":
      await removeFolder(visit, requirePlace(visit, request.path), request.path);
      return DONE;
    case "remove":
      return ok(await removeFile(visit, requirePlace(visit, request.path), request.path));
    case "rename": {
      const [from, to] = [request.from, request.to].map((path) => ({
        path,
        place: requirePlace(visit, path),
      }));
      if (from === undefined || to === undefined) throw refuse.failure("a rename has two names");
      return ok(await rename(visit, from, to, request.replace));
    }
    case "realpath": {
      const path = absolute(request.path);
      if (path === undefined) throw refuse.failure("the path is longer than any can be");
      return { answer: [nameAnswer(id, [{ name: path, line: "", attributes: {} }])] };
    }
    case "limits":
      return { answer: [limitsAnswer(id, handles.most)] };
    case "readlink":
    case "symlink":
      throw refuse.unsupported("a link between files");
    case "unknown":
      throw refuse.unsupported(request.what);
  }
}

const ok = (words: string): Obeyed => ({ status: STATUS.ok, words });

function requirePlace({ account }: Visit, path: Buffer): Place {
  const place = placeOf(path, account.principal.source);
  if (place === undefined)
    throw refuse.absent(`place ${shown(path)}: a folder in / is a source (a-z, 0-9 and -)`);
  return place;
}

async function look(visit: Visit, path: Buffer) {
  const place = placeOf(path, visit.account.principal.source);
  if (place?.kind === "area") {
    const found = await seenInArea(visit, place);
    if (found !== undefined) return attributesOf(found.look);
  }
  const target = place && targetOf(visit, place);
  if (target !== undefined) visit.rooms.refused.tell(whereabouts(visit, target));
  const found = place && (await seen(visit, place));
  if (found === undefined) throw refuse.absent(`file or folder ${shown(path)}`);
  return attributesOf(lookOf(visit, found));
}

async function openFolder(visit: Visit, path: Buffer): Promise<Handle> {
  const place = placeOf(path, visit.account.principal.source);
  const opened = (look: Look, names: ReturnType<typeof listed>): Handle =>
    new OpenFolder(look, names, {
      ...{ owner: visit.client, now: visit.rooms.now() },
      release: visit.rooms.folders.take(visit.account),
    });
  if (place?.kind === "area") {
    const found = await seenInArea(visit, place);
    if (found?.kind === "folder") return opened(found.look, found.list());
  }
  const found = place && (await seen(visit, place));
  if (found === undefined) throw refuse.absent(`folder ${shown(path)}`);
  if (found.kind !== "folder") throw refuse.failure(`${shown(path)} is no folder`);
  return opened(lookOf(visit, found), listed(visit, found));
}

async function open(visit: Visit, path: Buffer, flags: number): Promise<Handle> {
  const place = requirePlace(visit, path);
  if (place.kind === "area") return await openInArea(visit, place, path, flags);
  return flags & (OPEN.write | OPEN.append | OPEN.create | OPEN.truncate)
    ? await openForWriting(visit, place, path, flags)
    : await openForReading(visit, place, path);
}

async function openInArea(
  visit: Visit,
  place: Extract<Place, { kind: "area" }>,
  path: Buffer,
  flags: number,
): Promise<Handle> {
  if (flags & ~OPEN.read) throw refuse.denied(`${shown(path)} can only be read`);
  const found = await seenInArea(visit, place);
  if (found === undefined)
    throw mayEnter(visit, place)
      ? refuse.absent(`file ${shown(path)}`)
      : refuse.denied("this account may not see it");
  if (found.kind === "folder") throw refuse.failure(`${shown(path)} is a folder`);
  return found.kind === "text"
    ? new ReadingText(found.look, found.bytes)
    : readVersion(visit.rooms.lake, found.look, found.key);
}

async function openForReading(visit: Visit, place: Place, path: Buffer): Promise<Handle> {
  const found = await seen(visit, place);
  if (found === undefined) throw refuse.absent(`file ${shown(path)}`);
  if (found.kind === "folder") throw refuse.failure(`${shown(path)} is a folder`);
  if (!mayRead(visit)) throw refuse.denied("forbidden: this account may write, not read");
  if (found.kind === "unfinished") return new ReadingUnfinished(visit, found.target, found.one);
  return readVersion(visit.rooms.lake, lookOf(visit, found), found.node.key);
}

async function openForWriting(visit: Visit, place: Place, path: Buffer, flags: number): Promise<Handle> {
  const target = await targetToWrite(visit, place, path);
  const found = await seen(visit, place);
  if (found?.kind === "folder") throw refuse.failure(`${shown(path)} is a folder`);
  if (found === undefined && !(flags & OPEN.create)) throw refuse.absent(`file ${shown(path)}`);
  if (found !== undefined && flags & OPEN.create && flags & OPEN.exclusive)
    throw refuse.failure(`${shown(path)} is there already`);
  const append = (flags & OPEN.append) !== 0;
  if (found === undefined || flags & OPEN.truncate)
    return await openToWrite(visit, target, { append, begin: true });
  const there = found.kind === "unfinished" ? { one: found.one } : { base: found.node };
  return await openToWrite(visit, target, { ...there, append, begin: false });
}
