/** Whole objects into S3: one PUT, or above 64 MiB a multipart upload that is hashed again as it is sent. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import { asMetadata, failure, retryingFile, type Store, withContentHash } from "./s3-store.ts";
import type { Content } from "./stage.ts";

const SINGLE = 64 * 1024 * 1024;
const CHUNK = 16 * 1024 * 1024;

export interface WholeObject {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
  readonly content: Content;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Durable when it resolves. An object that is there already must be the same: keys are fresh, so it is our own retry. */
export async function publishObject(store: Store, object: WholeObject, conditional: boolean): Promise<void> {
  if (!conditional && (await isThere(store, object))) return;
  try {
    if (object.content.kind === "memory" || object.size <= SINGLE) await put(store, object, conditional);
    else await putInParts(store, object, object.content.file, conditional);
  } catch (error) {
    const { status, code } = failure(error);
    // 412: it is there. 409: it is being written this moment, by our own other try.
    if (status !== 412 && code !== "ConditionalRequestConflict") throw error;
    if (!(await isThere(store, object))) throw error;
  }
}

async function put(store: Store, object: WholeObject, conditional: boolean): Promise<void> {
  const send = (Body: Buffer | ReturnType<typeof import("node:fs").createReadStream>) =>
    store.client.send(
      withContentHash(
        new PutObjectCommand({
          ...store.at(object.key),
          Body,
          ContentLength: object.size,
          Metadata: metadataOf(object),
          ...(conditional ? { IfNoneMatch: "*" } : {}),
        }),
        object.sha256,
      ),
    );
  if (object.content.kind === "memory") await send(object.content.bytes);
  else await retryingFile(object.content.file, send);
}

async function putInParts(
  store: Store,
  object: WholeObject,
  file: string,
  conditional: boolean,
): Promise<void> {
  // Multipart completes ignore the condition in some stores: look first.
  if (await isThere(store, object)) return;
  const handle = await open(file, "r");
  try {
    await sendParts(store, object, handle, file, conditional);
  } finally {
    await handle.close();
  }
}

/** Two chunks in memory at most: one on its way, one being read. */
async function sendParts(
  store: Store,
  object: WholeObject,
  handle: FileHandle,
  file: string,
  conditional: boolean,
): Promise<void> {
  const { client } = store;
  const at = store.at(object.key);
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...at, Metadata: metadataOf(object) }),
  );
  try {
    const chunk = Math.max(CHUNK, Math.ceil(object.size / 9000));
    const hash = createHash("sha256");
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    let sending: Promise<unknown> = Promise.resolve();
    for (let start = 0; start < object.size; start += chunk) {
      const Body = Buffer.allocUnsafe(Math.min(chunk, object.size - start));
      for (let got = 0; got < Body.length; ) {
        const { bytesRead } = await handle.read(Body, got, Body.length - got, start + got);
        if (bytesRead === 0)
          throw new ProblemError("lake-unavailable", `${file} became shorter while it was sent`);
        got += bytesRead;
      }
      hash.update(Body);
      await sending;
      const PartNumber = parts.length + 1;
      const part = { PartNumber, ETag: undefined as string | undefined };
      parts.push(part);
      sending = client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body })).then((answer) => {
        part.ETag = answer.ETag;
      });
      // Awaited above or below; a failure meanwhile must not count as nobody's.
      sending.catch(() => {});
    }
    await sending;
    if (hash.digest("hex") !== object.sha256) {
      throw new ProblemError(
        "lake-unavailable",
        `the spool gave back other bytes than it took for ${object.key}`,
      );
    }
    await client.send(
      new CompleteMultipartUploadCommand({
        ...at,
        UploadId,
        MultipartUpload: { Parts: parts },
        ...(conditional ? { IfNoneMatch: "*" } : {}),
      }),
    );
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
    throw error;
  }
}

function metadataOf(object: WholeObject): Record<string, string> {
  return { ...asMetadata(object.metadata), sha256: object.sha256 };
}

/** Whether this object is stored already. Throws when the key holds other bytes. */
async function isThere(store: Store, object: WholeObject): Promise<boolean> {
  try {
    const head = await store.client.send(new HeadObjectCommand(store.at(object.key)));
    if (head.ContentLength === object.size && head.Metadata?.sha256 === object.sha256) return true;
  } catch (error) {
    if (failure(error).status === 404) return false;
    throw error;
  }
  throw new ProblemError(
    "internal",
    `the key ${object.key} is taken by other bytes; nothing was overwritten`,
  );
}
