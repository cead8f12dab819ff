/** A second key for an object of an S3 lake: the store copies it by itself. What is larger than it may copy at once goes through us. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import { failure, type Store } from "./s3-store.ts";

/** CopyObject takes at most 5 GB. */
const SINGLE = 5_000_000_000;
const PIECE = 16 * 1024 ** 2;

interface Large {
  readonly from: string;
  readonly to: string;
  readonly size: number;
  readonly metadata: Record<string, string>;
}

/** Durable when it resolves. `single`: a parameter for tests. */
export async function copyObject(store: Store, from: string, to: string, single = SINGLE): Promise<void> {
  const original = await head(store, from);
  if (original === undefined)
    throw new ProblemError("lake-unavailable", `there is no object ${from} to be copied`);
  const { size, metadata } = original;
  const there = await head(store, to);
  if (there === undefined) {
    const CopySource = `${store.bucket}/${store.prefix}${from}`.split("/").map(encodeURIComponent).join("/");
    if (size <= single) await store.client.send(new CopyObjectCommand({ ...store.at(to), CopySource }));
    // At most 10,000 pieces.
    else await copyInPieces(store, { from, to, size, metadata }, Math.max(PIECE, Math.ceil(size / 9000)));
  }
  // Keys are fresh, so what is there is our own earlier try; a copy that is cut short must not count.
  const copied = there ?? (await head(store, to));
  if (copied?.size !== size)
    throw new ProblemError(
      "lake-unavailable",
      `the copy ${to} has ${copied?.size ?? "no"} bytes, its original ${size}; nothing was overwritten`,
    );
}

/** Ceph takes the source's name of a piece as it stands, Amazon decodes it: no spelling is right in both. */
async function copyInPieces(store: Store, { from, to, size, metadata }: Large, piece: number): Promise<void> {
  const { client } = store;
  const at = store.at(to);
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...at, Metadata: metadata }));
  try {
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (let start = 0; start < size; start += piece) {
      const PartNumber = Parts.length + 1;
      const Range = `bytes=${start}-${Math.min(start + piece, size) - 1}`;
      const { Body } = await client.send(new GetObjectCommand({ ...store.at(from), Range }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      const sent = await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body: bytes }));
      Parts.push({ PartNumber, ETag: sent.ETag });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
    throw error;
  }
}

async function head(
  store: Store,
  key: string,
): Promise<{ readonly size: number; readonly metadata: Record<string, string> } | undefined> {
  try {
    const { ContentLength, Metadata } = await store.client.send(new HeadObjectCommand(store.at(key)));
    return { size: ContentLength ?? 0, metadata: Metadata ?? {} };
  } catch (error) {
    if (failure(error).status === 404) return undefined;
    throw error;
  }
}
