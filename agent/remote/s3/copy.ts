/** A copy inside the bucket, made by the server itself: of exactly this content, and where the server can, over nothing. */

import { RemoteError } from "../remote.ts";
import type { Bucket } from "./bucket.ts";
import { answerOf } from "./failure.ts";
import type { Head } from "./head.ts";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "./library.ts";
import { quoted } from "./state.ts";

/** CopyObject takes at most 5 GB. */
const SINGLE = 5_000_000_000;
const PIECE = 512 * 1024 ** 2;
const OURS = 16 * 1024 ** 2;
/** Sources that are spelled the same encoded and not: Ceph 16 decodes that of a piece twice, and ends when it cannot. */
const PLAIN = /^[A-Za-z0-9._~/-]*$/;

/** `pieces`: sizes for tests. Throws `changed` where the condition failed: at the source, or because the target is taken. */
export async function copyObject(
  bucket: Bucket,
  from: string,
  source: Head,
  to: string,
  pieces = { single: SINGLE, piece: PIECE },
): Promise<void> {
  const about = { doing: "copy", key: to } as const;
  const { size } = source.state;
  if (size > pieces.single)
    return await copyInPieces(bucket, from, source, to, Math.max(pieces.piece, Math.ceil(size / 9000)));
  const copy = (condition: { readonly IfNoneMatch?: string }) =>
    bucket.ask(about, (client) =>
      client.send(
        new CopyObjectCommand({
          ...bucket.at(to),
          CopySource: sourceOf(bucket, from, source),
          CopySourceIfMatch: quoted(source.tag),
          ...condition,
        }),
      ),
    );
  await withCondition(copy);
}

/** A server that does not know the condition is asked without it: it was looked just now. */
async function withCondition(
  ask: (condition: { readonly IfNoneMatch?: string }) => Promise<unknown>,
): Promise<void> {
  try {
    await ask({ IfNoneMatch: "*" });
  } catch (error) {
    if (!isNotImplemented(error)) throw error;
    await ask({});
  }
}

export function isNotImplemented(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return false;
  const { status, code } = answerOf(error.cause);
  return status === 501 || (status === 400 && /^(NotImplemented|InvalidArgument|InvalidRequest)$/.test(code));
}

async function copyInPieces(
  bucket: Bucket,
  from: string,
  source: Head,
  to: string,
  least: number,
): Promise<void> {
  const about = { doing: "copy", key: to } as const;
  const at = bucket.at(to);
  const { size } = source.state;
  const { ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl, Metadata } =
    source.told;
  const like = { ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl, Metadata };
  const { UploadId } = await bucket.ask(about, (client) =>
    client.send(new CreateMultipartUploadCommand({ ...at, ...like })),
  );
  try {
    const byServer = bucket.amazon || PLAIN.test(sourceOf(bucket, from, source));
    const copy = byServer ? pieceByServer : pieceThroughUs;
    // At most 10,000 pieces.
    const piece = Math.max(byServer ? least : Math.min(least, OURS), Math.ceil(size / 9000));
    const Parts: CompletedPart[] = [];
    for (let start = 0; start < size; start += piece) {
      const range = `bytes=${start}-${Math.min(start + piece, size) - 1}`;
      const part = { ...at, UploadId, PartNumber: Parts.length + 1 };
      const ETag = await copy({ bucket, from, source, range, part });
      Parts.push({ PartNumber: part.PartNumber, ETag });
    }
    await withCondition((condition) =>
      bucket.ask(about, (client) =>
        client.send(
          new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts }, ...condition }),
        ),
      ),
    );
  } catch (error) {
    await bucket
      .ask(about, (client) => client.send(new AbortMultipartUploadCommand({ ...at, UploadId })))
      .catch(() => undefined);
    throw error;
  }
}

interface Piece {
  readonly bucket: Bucket;
  readonly from: string;
  readonly source: Head;
  readonly range: string;
  readonly part: {
    readonly Bucket: string;
    readonly Key: string;
    readonly UploadId: string | undefined;
    readonly PartNumber: number;
  };
}

async function pieceByServer({ bucket, from, source, range, part }: Piece): Promise<string | undefined> {
  const command = new UploadPartCopyCommand({
    ...part,
    CopySource: sourceOf(bucket, from, source),
    CopySourceRange: range,
    CopySourceIfMatch: quoted(source.tag),
  });
  const { CopyPartResult } = await bucket.ask({ doing: "copy", key: part.Key }, (client) =>
    client.send(command),
  );
  return CopyPartResult?.ETag;
}

async function pieceThroughUs({ bucket, from, source, range, part }: Piece): Promise<string | undefined> {
  const got = await bucket.ask({ doing: "read", key: from }, async (client) => {
    const of = { ...bucket.at(from), Range: range, IfMatch: quoted(source.tag) };
    return await (await client.send(new GetObjectCommand(of))).Body?.transformToByteArray();
  });
  const Body = Buffer.from(got ?? []);
  const sent = await bucket.ask({ doing: "copy", key: part.Key }, (client) =>
    client.send(new UploadPartCommand({ ...part, Body, ContentLength: Body.length })),
  );
  return sent.ETag;
}

function sourceOf(bucket: Bucket, key: string, { tag: { versionId } }: Head): string {
  const version =
    versionId === undefined || versionId === "null" ? "" : `?versionId=${encodeURIComponent(versionId)}`;
  return `${bucket.name}/${key.split("/").map(encodeURIComponent).join("/")}${version}`;
}
