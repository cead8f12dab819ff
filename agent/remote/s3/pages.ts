/** What a bucket without versions has in a folder, page by page, in the order of its keys. */

import { RemoteError } from "../remote.ts";
import { type Bucket, requireListing } from "./bucket.ts";
import { type _Object, ListObjectsV2Command } from "./library.ts";
import { decodeKey, type Listed, listedFile, listedFolder, type Portion } from "./names.ts";
import { archived, known, type Tags } from "./state.ts";

export async function* objectPages(
  bucket: Bucket,
  folder: string,
  tags: Tags,
  signal: AbortSignal,
): AsyncGenerator<Portion> {
  const skip = Buffer.byteLength(folder);
  const inOrder = orderOf(bucket);
  let token: string | undefined;
  do {
    const asked = new ListObjectsV2Command({
      Bucket: bucket.name,
      ...{ Prefix: folder, Delimiter: "/", EncodingType: "url" },
      ...(bucket.amazon ? { OptionalObjectAttributes: ["RestoreStatus"] } : {}),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await bucket.ask({ doing: "list" }, (client) => client.send(asked, { abortSignal: signal }));
    requireListing(page, bucket.name);
    const restOf = (text: string | undefined): Buffer =>
      decodeKey(text ?? "", page.EncodingType).subarray(skip);
    const listed = (page.Contents ?? []).flatMap((one) => {
      const rest = restOf(one.Key);
      return listedFile(rest, one.Size ?? 0, folder, () => fileOf(rest, one, bucket, tags)) ?? [];
    });
    for (const { Prefix } of page.CommonPrefixes ?? []) listed.push(listedFolder(restOf(Prefix)));
    token = nextOf(bucket, page.IsTruncated === true, token, page.NextContinuationToken);
    yield { listed: inOrder(listed), more: token !== undefined };
  } while (token !== undefined);
}

function fileOf(name: Buffer, one: _Object, bucket: Bucket, tags: Tags): Listed["entry"] {
  const isRestored = one.RestoreStatus?.RestoreExpiryDate !== undefined;
  const held = bucket.amazon ? archived(one.StorageClass, isRestored) : undefined;
  const state = tags.keep(known({ size: one.Size, modified: one.LastModified, etag: one.ETag }, false));
  return { kind: "file", name, state, ...(held === undefined ? {} : { held }) };
}

/** Sorts a page, whose objects and folders are two lists, and sees that it goes on where the one before ended. */
export function orderOf(bucket: Bucket): (page: Listed[]) => readonly Listed[] {
  let last: Buffer | undefined;
  return (page) => {
    page.sort((a, b) => Buffer.compare(a.rest, b.rest));
    const first = page[0];
    if (last !== undefined && first !== undefined && Buffer.compare(first.rest, last) <= 0)
      throw new RemoteError(
        "away",
        `the bucket ${bucket.name} does not list its keys in their order (a directory bucket?): such a listing cannot be trusted to be whole`,
      );
    last = page.at(-1)?.rest ?? last;
    return page;
  };
}

/** Where the next page begins; a server that says "more" and not from where would be asked for ever. */
export function nextOf(
  bucket: Bucket,
  more: boolean,
  former: string | undefined,
  next: string | undefined,
): string | undefined {
  if (!more) return undefined;
  if (next !== undefined && next !== "" && next !== former) return next;
  throw new RemoteError(
    "away",
    `the listing of the bucket ${bucket.name} breaks off: it does not say how it goes on`,
  );
}
