/**
 * What a bucket that keeps versions has in a folder: each key with all its versions and ends. A key's versions come
 * one after the other, newest first, over pages too; only one key's are held.
 */

import type { Past } from "../../source/state.ts";
import type { Entry } from "../remote.ts";
import { type Bucket, requireListing } from "./bucket.ts";
import { ListObjectVersionsCommand } from "./library.ts";
import { decodeKey, type Listed, listedFile, listedFolder, type Portion } from "./names.ts";
import { nextOf, orderOf } from "./pages.ts";
import { inDocumentOrder, keepsOrder, type Row } from "./sequence.ts";
import { archived, endState, type Known, known, type Tags } from "./state.ts";

/** One version of a key; `end`: from here on there was none. */
export type Version =
  | (Known & { readonly end: false; readonly storageClass: string | undefined; readonly restored: boolean })
  | { readonly end: true; readonly state: Known["state"] };

/** Newest first. */
export type Chain = readonly Version[];

interface Page {
  readonly versions: readonly { readonly key: Buffer; readonly version: Version }[];
  readonly folders: readonly Buffer[];
  readonly more: boolean;
}

export async function* versionPages(
  bucket: Bucket,
  folder: string,
  tags: Tags,
  signal: AbortSignal,
): AsyncGenerator<Portion> {
  const skip = Buffer.byteLength(folder);
  const inOrder = orderOf(bucket);
  let held: { readonly key: Buffer; readonly chain: Version[] } | undefined;
  let listed: Listed[] = [];
  const complete = (): void => {
    if (held === undefined) return;
    const { key, chain } = held;
    const rest = key.subarray(skip);
    const most = Math.max(...chain.map(({ state }) => state.size));
    const one = listedFile(rest, most, folder, () => entryOf(rest, chain, bucket, tags));
    if (one !== undefined) listed.push(one);
    held = undefined;
  };
  for await (const page of pagesOf(bucket, folder, "/", signal)) {
    for (const { key, version } of page.versions) {
      if (held?.key.equals(key) !== true) complete();
      held ??= { key, chain: [] };
      held.chain.push(version);
    }
    for (const one of page.folders) {
      // What is listed behind it shows that no more versions of it come.
      if (held !== undefined && Buffer.compare(one, held.key) > 0) complete();
      listed.push(listedFolder(one.subarray(skip)));
    }
    if (!page.more) complete();
    yield { listed: inOrder(listed), more: page.more };
    listed = [];
  }
}

/** All versions of one key; empty: there never was such an object. */
export async function chainOf(bucket: Bucket, key: string): Promise<Chain> {
  const wanted = Buffer.from(key);
  const chain: Version[] = [];
  // It is the first of all that begin with it.
  for await (const page of pagesOf(bucket, key, undefined, undefined, 100))
    for (const one of page.versions) {
      if (!one.key.equals(wanted)) return chain;
      chain.push(one.version);
    }
  return chain;
}

/** Whether anything lies, or lay, below this prefix. */
export async function anyVersion(bucket: Bucket, prefix: string, signal?: AbortSignal): Promise<boolean> {
  for await (const page of pagesOf(bucket, prefix, undefined, signal, 1)) return page.versions.length > 0;
  return false;
}

/** The entry of a key; `chain` is not empty. */
export function entryOf(name: Buffer, chain: Chain, bucket: Bucket, tags: Tags): Entry {
  const newest = chain[0] as Version;
  for (const one of chain) if (!one.end) tags.keep(one);
  const past: Past = chain
    .map((one) => ({ state: one.state, deleted: one.end, ...heldIn(one, bucket) }))
    .toReversed();
  return { kind: "file", name, state: newest.state, past, ...heldIn(newest, bucket) };
}

function heldIn(one: Version, bucket: Bucket): { readonly held?: string } {
  const held = bucket.amazon && !one.end ? archived(one.storageClass, one.restored) : undefined;
  return held === undefined ? {} : { held };
}

async function* pagesOf(
  bucket: Bucket,
  prefix: string,
  delimiter: string | undefined,
  signal: AbortSignal | undefined,
  most?: number,
): AsyncGenerator<Page> {
  let at: { readonly KeyMarker: string; readonly VersionIdMarker?: string } | undefined;
  do {
    const asked = new ListObjectVersionsCommand({
      Bucket: bucket.name,
      ...{ Prefix: prefix, EncodingType: "url" },
      ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
      ...(most === undefined ? {} : { MaxKeys: most }),
      ...(bucket.amazon ? { OptionalObjectAttributes: ["RestoreStatus"] } : {}),
      ...at,
    });
    const order = keepsOrder(asked);
    const page = await bucket.ask({ doing: "list" }, (client) =>
      client.send(asked, signal === undefined ? {} : { abortSignal: signal }),
    );
    requireListing(page, bucket.name);
    const decoded = (text: string | undefined): Buffer => decodeKey(text ?? "", page.EncodingType);
    const versions = inDocumentOrder(order(), page.Versions ?? [], page.DeleteMarkers ?? [], bucket.name).map(
      (row) => ({ key: decoded(row.of.Key), version: versionOf(row) }),
    );
    const folders = (page.CommonPrefixes ?? []).map(({ Prefix }) => decoded(Prefix));
    yield { versions, folders, more: page.IsTruncated === true };
    const last = [versions.at(-1)?.key, folders.at(-1)].filter((one) => one !== undefined);
    const key = markerOf(page.NextKeyMarker, page.EncodingType, last);
    const former = at && `${at.KeyMarker}\0${at.VersionIdMarker}`;
    const next = key && `${key}\0${page.NextVersionIdMarker}`;
    const more = nextOf(bucket, page.IsTruncated === true, former, next) !== undefined;
    const id = page.NextVersionIdMarker;
    at = more && key !== undefined ? { KeyMarker: key, ...(id ? { VersionIdMarker: id } : {}) } : undefined;
  } while (at !== undefined);
}

/** Amazon encodes it as it does the keys, Ceph does not: the last one on the page says which it is. */
function markerOf(
  text: string | undefined,
  encoding: string | undefined,
  last: readonly Buffer[],
): string | undefined {
  if (text === undefined) return undefined;
  const plain = Buffer.from(text);
  return last.some((one) => one.equals(plain)) ? text : decodeKey(text, encoding).toString();
}

function versionOf(row: Row): Version {
  const { VersionId: versionId = "null", LastModified: modified } = row.of;
  if (row.kind === "DeleteMarker") return { end: true, state: endState(versionId, modified) };
  const { Size: size, ETag: etag, StorageClass: storageClass, RestoreStatus } = row.of;
  const restored = RestoreStatus?.RestoreExpiryDate !== undefined;
  return { end: false, ...known({ size, modified, etag, versionId }, true), storageClass, restored };
}
