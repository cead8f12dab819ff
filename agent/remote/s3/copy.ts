/** A copy inside the bucket, made by the server itself: of exactly this content, and where the server can, over nothing. */
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { RemoteError } from "../remote.ts";
import type { Bucket } from "./bucket.ts";
import { answerOf } from "./failure.ts";
import type { Head } from "./head.ts";
import { quoted } from "./state.ts";

/** CopyObject takes at most 5 GB. */
const SINGLE = 5_000_000_000;
const PIECE = 512 * 1024 ** 2;

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
          CopySource: sourceOf(bucket, from, source, encodeURIComponent),
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
  piece: number,
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
    const Parts: CompletedPart[] = [];
    for (let start = 0; start < size; start += piece) {
      const PartNumber = Parts.length + 1;
      const range = `bytes=${start}-${Math.min(start + piece, size) - 1}`;
      const part = { ...at, UploadId, PartNumber, CopySourceRange: range };
      const CopySourceIfMatch = quoted(source.tag);
      const copy = (encode: (text: string) => string) =>
        bucket.ask(about, (client) =>
          client.send(
            new UploadPartCopyCommand({
              ...part,
              CopySource: sourceOf(bucket, from, source, encode),
              CopySourceIfMatch,
            }),
          ),
        );
      // Older Cephs take the name of a piece's source as it stands; nothing else has this content under the other.
      const { CopyPartResult } = await copy(encodeURIComponent).catch((error: unknown) => {
        if (error instanceof RemoteError && error.failure === "absent") return copy((text) => text);
        throw error;
      });
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
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

function sourceOf(bucket: Bucket, key: string, { tag }: Head, encode: (text: string) => string): string {
  const { versionId } = tag;
  const version = versionId === undefined || versionId === "null" ? "" : `?versionId=${encode(versionId)}`;
  return `${bucket.name}/${key.split("/").map(encode).join("/")}${version}`;
}
