/** Where a path stands in the tree's tables: by the hash of its folder and the key of its name. */
import { createHash } from "node:crypto";
import { pathHash } from "../ledger/entry.ts";

export interface Place {
  readonly parent_hash: string;
  readonly name_key: string;
}

/** Index rows of both databases hold this without going beside the page. */
const LONGEST_KEY = 400;
const HEAD = 320;

/** "" of a path without a folder: the source. */
export function parentOf(pathEncoded: string): string {
  return pathEncoded.slice(0, Math.max(0, pathEncoded.lastIndexOf("/")));
}

export function nameOf(pathEncoded: string): string {
  return pathEncoded.slice(pathEncoded.lastIndexOf("/") + 1);
}

export function placeOf(pathEncoded: string): Place {
  if (pathEncoded === "") return { parent_hash: "", name_key: "" };
  return { parent_hash: pathHash(parentOf(pathEncoded)), name_key: keyOf(nameOf(pathEncoded)) };
}

/** The name where its key is not all of it. */
export function longNameOf(pathEncoded: string): string | null {
  const name = nameOf(pathEncoded);
  return keyOf(name) === name ? null : name;
}

/** In the order of names, but short. No name has a "/", so the key of a long one is never another's name. */
function keyOf(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= LONGEST_KEY) return name;
  return `${bytes.toString("utf8", 0, HEAD)}/${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The order that both databases keep keys in: that of their bytes. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
