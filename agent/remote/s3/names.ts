/** Keys and names: a name is a key's bytes between two slashes, and only what can be a path is captured. */

import { displayPath, pathFault, percentDecode } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Entry } from "../remote.ts";
import { shown } from "./failure.ts";

/**
 * What a folder's listing has at one place. `rest`: the key below the folder, a `/` at its end for a folder: the order
 * of these is the server's.
 */
export interface Listed {
  readonly rest: Buffer;
  readonly entry: Entry;
}

/** A part of a listing, in the order of `rest`; `more`: others follow. */
export interface Portion {
  readonly listed: readonly Listed[];
  readonly more: boolean;
}

/** The name of what is shown in place of all that no path can name; it has a slash, so that no object's name is it. */
const NAMELESS = Buffer.from("/");

/** A key for a path below the prefix; undefined: keys are UTF-8, so no object has it. */
export function keyOf(prefix: string, path: Buffer): string | undefined {
  const text = path.toString("utf8");
  return Buffer.from(text).equals(path) ? prefix + text : undefined;
}

/** A key out of a listing that was asked for with `EncodingType: url`, since XML cannot carry every character. */
export function decodeKey(text: string, encoding: string | undefined): Buffer {
  if (encoding !== "url") return Buffer.from(text);
  try {
    return percentDecode(text.replaceAll("+", " "));
  } catch (error) {
    if (error instanceof ProblemError) return Buffer.from(text);
    throw error;
  }
}

/** A folder, or why there can be none. */
export function folderOf(name: Buffer): Entry {
  const fault = faultOf(name);
  return fault === undefined ? { kind: "folder", name } : { kind: "refused", name, reason: fault };
}

/** `rest` ends with a slash. */
export function listedFolder(rest: Buffer): Listed {
  const name = rest.subarray(0, -1);
  if (name.length > 0) return { rest, entry: folderOf(name) };
  const reason = "keys below it have an empty segment (two slashes in a row): no path can name them";
  return { rest, entry: { kind: "refused", name: NAMELESS, reason } };
}

/** `make` is asked for what has a name that can be one. Undefined: the marker that programs make for an empty folder. */
export function listedFile(
  rest: Buffer,
  size: number,
  folder: string,
  make: () => Entry,
): Listed | undefined {
  if (rest.length === 0) {
    if (size === 0) return undefined;
    const reason = `the object ${shown(folder)} has ${size} bytes, and its key ends in "/": no path can name it`;
    return { rest, entry: { kind: "refused", name: NAMELESS, reason } };
  }
  const fault = faultOf(rest);
  return { rest, entry: fault === undefined ? make() : { kind: "refused", name: rest, reason: fault } };
}

function faultOf(name: Buffer): string | undefined {
  if (!Buffer.from(name.toString("utf8")).equals(name))
    return "its key is not UTF-8: it cannot be asked for by S3";
  const fault = pathFault(name);
  return fault && `its key (${shown(displayPath(name))}) cannot be a path: ${fault}`;
}

/** The one entry for what has no name, where its name has its place; both reasons in one. */
export async function* namelessOnce(portions: AsyncIterable<Portion>): AsyncGenerator<Portion> {
  let held: string | undefined;
  for await (const { listed, more } of portions) {
    const out: Listed[] = [];
    for (const one of listed) {
      if (one.rest.length === 0) {
        if (one.entry.kind === "refused") held = one.entry.reason;
        continue;
      }
      if (held !== undefined && Buffer.compare(one.rest, NAMELESS) >= 0) {
        const both = one.rest.equals(NAMELESS) && one.entry.kind === "refused";
        out.push(nameless(both ? `${held}; ${one.entry.reason}` : held));
        held = undefined;
        if (both) continue;
      }
      out.push(one);
    }
    if (held !== undefined && !more) out.push(nameless(held));
    yield { listed: out, more };
  }
}

const nameless = (reason: string): Listed => ({
  rest: NAMELESS,
  entry: { kind: "refused", name: NAMELESS, reason },
});
