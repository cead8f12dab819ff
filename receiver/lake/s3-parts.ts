/**
 * Uploads of an S3 lake are the store's own multipart uploads; the handle is its UploadId. Sent parts stay in the
 * spool until they were hashed in order, so that the digest of the whole needs no reading back; where they did not
 * all pass through here (another receiver, a restart, a full spool), the completed object is read once.
 */
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Follower } from "./follower.ts";
import type { Area } from "./key.ts";
import type { LakeHealth, PartLake, PartUpload, StoredPart } from "./lake.ts";
import { requireAllParts, requirePartSize, requireWhole, withinPart } from "./part-place.ts";
import { asMetadata, failure, listedKey, retryingFile, type Store, withContentHash } from "./s3-store.ts";
import type { Staging } from "./stage.ts";

interface Sent {
  readonly sha256: string;
  readonly tag: string;
  /** Undefined once it was given to the follower. */
  file: string | undefined;
  readonly size: number;
}

interface Progress {
  readonly parts: Map<number, Sent>;
  /** Requests for one number go one after the other. */
  readonly turns: Map<number, Promise<unknown>>;
  followed: number;
  /** False once the digest must come from reading back. */
  following: boolean;
  /** Of the whole, once all parts were followed: a completion that failed is repeated with it. */
  digest?: string;
  /** When the last part came, `performance.now()`. */
  touchedAt: number;
}

type Whole = { readonly size: number; readonly sha256: string };

/** The half of an S3 lake that takes files in parts. */
export function s3Parts(
  store: Store,
  staging: Staging,
  follower: Follower,
  { keep, keepMs }: { readonly keep: number; readonly keepMs: number },
): PartLake & Pick<LakeHealth, "relieve"> {
  const { client, call } = store;
  const uploads = new Map<string, Progress>();
  const completing = new Map<string, Promise<Whole>>();
  let kept = 0;

  const progressOf = (handle: string): Progress => {
    const touchedAt = performance.now();
    const found: Progress = uploads.get(handle) ?? {
      ...{ parts: new Map(), turns: new Map(), followed: 1, following: true, touchedAt },
    };
    found.touchedAt = touchedAt;
    uploads.set(handle, found);
    return found;
  };

  const release = async (sent: { file: string | undefined; size: number }): Promise<void> => {
    const { file } = sent;
    if (file === undefined) return;
    kept -= sent.size;
    sent.file = undefined;
    await rm(file, { force: true }).catch(() => {});
  };

  const stopFollowing = async (handle: string, progress: Progress): Promise<void> => {
    progress.following = false;
    follower.drop(handle);
    await Promise.all([...progress.parts.values()].map(release));
  };

  const forget = (handle: string): void => {
    const progress = uploads.get(handle);
    if (progress !== undefined) void stopFollowing(handle, progress);
    uploads.delete(handle);
  };

  /** Nobody tells us when another receiver completed or swept an upload: what rests here for long is let go. */
  const forgetOld = (): void => {
    const before = performance.now() - keepMs;
    for (const [handle, { touchedAt, turns }] of uploads)
      if (touchedAt < before && turns.size === 0 && !completing.has(handle)) forget(handle);
  };

  const follow = (handle: string, progress: Progress): void => {
    for (;;) {
      const sent = progress.parts.get(progress.followed);
      if (!progress.following || sent?.file === undefined) return;
      progress.followed += 1;
      follower
        .append(handle, { file: sent.file, start: 0, length: sent.size })
        .catch(() => {
          progress.following = false;
        })
        .finally(() => void release(sent));
    }
  };

  const send = async (upload: PartUpload, number: number, sha256: string, size: number, file: string) => {
    const answer = await retryingFile(file, (Body) =>
      client.send(
        withContentHash(
          new UploadPartCommand({
            ...store.at(upload.key),
            UploadId: upload.handle,
            PartNumber: number,
            Body,
            ContentLength: size,
          }),
          sha256,
        ),
      ),
    );
    return answer.ETag ?? "";
  };

  const readBack = async (key: string): Promise<Whole | undefined> => {
    let body: Readable;
    try {
      body = (await client.send(new GetObjectCommand(store.at(key)))).Body as Readable;
    } catch (error) {
      if (failure(error).status === 404) return undefined;
      throw error;
    }
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of body) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
    return { size, sha256: hash.digest("hex") };
  };

  const unknown = (key: string): ProblemError =>
    new ProblemError("upload-unknown", `the store has no upload for ${key}; it was aborted or swept`);

  /** Ceph answers the completion of an aborted upload with 500 "already in progress", so the store is asked again. */
  const isOpen = async (upload: PartUpload): Promise<boolean> => {
    try {
      await client.send(
        new ListPartsCommand({ ...store.at(upload.key), UploadId: upload.handle, MaxParts: 1 }),
      );
      return true;
    } catch (error) {
      // Ceph says NoSuchKey here.
      const { status, code } = failure(error);
      return status !== 404 || code === "NoSuchBucket";
    }
  };

  /** The digest of the whole when all of it passed through here; else undefined, and the object must be read. */
  const followedDigest = async (
    upload: PartUpload,
    parts: readonly StoredPart[],
  ): Promise<string | undefined> => {
    const progress = uploads.get(upload.handle);
    const allHere =
      progress?.following === true &&
      progress.followed === parts.length + 1 &&
      parts.every((part) => progress.parts.get(part.number)?.sha256 === part.sha256);
    if (!allHere) return undefined;
    if (progress.digest !== undefined) return progress.digest;
    const digest = await follower.finish(upload.handle).catch(() => undefined);
    if (digest !== undefined) progress.digest = digest;
    return digest;
  };

  const abort = async (upload: PartUpload): Promise<void> => {
    forget(upload.handle);
    try {
      await client.send(
        new AbortMultipartUploadCommand({ ...store.at(upload.key), UploadId: upload.handle }),
      );
    } catch (error) {
      if (failure(error).status !== 404) throw error;
    }
  };

  /** Only what was read wrong twice goes: a first wrong reading may be the network's fault, and the object a version. */
  const removeWrong = async (upload: PartUpload, declared: string): Promise<Whole | undefined> => {
    const again = await readBack(upload.key);
    if (again === undefined || again.sha256 === declared) return again;
    await client.send(new DeleteObjectCommand(store.at(upload.key)));
    return again;
  };

  const complete = async (
    upload: PartUpload,
    given: readonly StoredPart[],
    declared: string,
  ): Promise<Whole> => {
    const parts = requireAllParts(upload, given);
    const at = store.at(upload.key);
    const UploadId = upload.handle;
    if (parts.length === 0) {
      // S3 completes no upload without parts.
      const sha256 = createHash("sha256").digest("hex");
      requireWhole(upload, sha256, declared);
      await client.send(new PutObjectCommand({ ...at, Body: "", ContentLength: 0 }));
      await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
      return { size: 0, sha256 };
    }
    const followed = await followedDigest(upload, parts);
    if (followed !== undefined && followed !== declared) {
      await abort(upload).catch(() => {});
      requireWhole(upload, followed, declared);
    }
    const Parts = parts.map((part) => ({ PartNumber: part.number, ETag: part.tag }));
    try {
      await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
    } catch (error) {
      const { code } = failure(error);
      if (code === "InvalidPart") {
        throw new ProblemError(
          "part-conflict",
          `the store holds other parts of ${upload.key} than were recorded`,
          {
            cause: error,
          },
        );
      }
      if (code !== "NoSuchUpload" && (await isOpen(upload))) throw error;
      const done = await readBack(upload.key);
      if (done === undefined) throw unknown(upload.key);
      // Another receiver completed it, and may have committed it: it is not ours to remove.
      requireWhole(upload, done.sha256, declared);
      return done;
    }
    if (followed !== undefined) return { size: upload.size, sha256: followed };
    let done = await readBack(upload.key);
    if (done !== undefined && done.sha256 !== declared) done = await removeWrong(upload, declared);
    if (done === undefined) throw unknown(upload.key);
    requireWhole(upload, done.sha256, declared);
    return done;
  };

  const openBelow = async function* (prefix: string): ReturnType<PartLake["open"]> {
    let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (marker !== undefined) {
      const page = await call("list uploads", () =>
        client.send(
          new ListMultipartUploadsCommand({
            Bucket: store.bucket,
            Prefix: store.prefix + prefix,
            EncodingType: "url",
            ...marker,
          }),
        ),
      );
      for (const one of page.Uploads ?? []) {
        if (one.UploadId === undefined || one.Key === undefined) continue;
        const key = listedKey(store, one.Key, page.EncodingType);
        yield { handle: one.UploadId, key, startedAt: one.Initiated?.getTime() ?? Date.now() };
      }
      const next = page.NextKeyMarker;
      marker =
        page.IsTruncated === true && next !== undefined
          ? {
              KeyMarker: store.prefix + listedKey(store, next, page.EncodingType),
              ...(page.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: page.NextUploadIdMarker }),
            }
          : undefined;
    }
  };

  return {
    begin: (key, metadata) =>
      call(`begin an upload for ${key}`, async () => {
        const answer = await client.send(
          new CreateMultipartUploadCommand({ ...store.at(key), Metadata: asMetadata(metadata) }),
        );
        if (answer.UploadId === undefined) throw new Error("the store gave no UploadId");
        return answer.UploadId;
      }),

    stagePart: (upload, number, body) => staging.stage(withinPart(upload, number, body)),

    async part(upload, number, staged) {
      forgetOld();
      const content = staging.consume(staged);
      const file = content.kind === "file" ? content.file : await staging.name();
      let progress = uploads.get(upload.handle);
      let keeping = false;
      const turn = progress?.turns.get(number) ?? Promise.resolve();
      const work = turn
        .catch(() => {})
        .then(() =>
          call(`store part ${number} of ${upload.key}`, async () => {
            requirePartSize(upload, number, staged.size);
            const there = uploads.get(upload.handle)?.parts.get(number);
            if (there?.sha256 === staged.sha256) return there.tag;
            if (there !== undefined) {
              throw new ProblemError("part-conflict", `part ${number} is stored already, with other bytes`);
            }
            if (content.kind === "memory") await writeFile(file, content.bytes);
            const tag = await send(upload, number, staged.sha256, staged.size, file).catch(
              async (error: unknown) => {
                // A store that refuses early may cut the connection, and its reason with it: ask.
                throw (await isOpen(upload)) ? error : unknown(upload.key);
              },
            );
            const now = progressOf(upload.handle);
            keeping = now.following && kept + staged.size <= keep;
            if (keeping) kept += staged.size;
            now.parts.set(number, {
              sha256: staged.sha256,
              tag,
              file: keeping ? file : undefined,
              size: staged.size,
            });
            if (keeping) follow(upload.handle, now);
            else void stopFollowing(upload.handle, now);
            return tag;
          }),
        );
      progress = progressOf(upload.handle);
      progress.turns.set(number, work);
      try {
        return await work;
      } finally {
        if (progress.turns.get(number) === work) progress.turns.delete(number);
        if (!keeping) await rm(file, { force: true });
        if (progress.parts.size === 0 && progress.turns.size === 0) uploads.delete(upload.handle);
      }
    },

    complete(upload, parts, sha256) {
      const running =
        completing.get(upload.handle) ??
        call(`complete ${upload.key}`, () => complete(upload, parts, sha256));
      completing.set(upload.handle, running);
      const end = (): void => void completing.delete(upload.handle);
      running.then(() => {
        end();
        forget(upload.handle);
      }, end);
      return running;
    },

    abort: (upload) => call(`abort the upload for ${upload.key}`, () => abort(upload)),

    async relieve() {
      const before = kept;
      // Their digests come from reading the objects back.
      await Promise.all([...uploads].map(([handle, progress]) => stopFollowing(handle, progress)));
      return before - kept;
    },

    async *open() {
      // The bucket may be others' too, and beside these two the uploads are not those of versions.
      for (const area of ["raw", "quarantine"] satisfies Area[])
        for await (const one of openBelow(`${area}/`)) yield one;
    },
  };
}
