/** What a store really does, found by doing it: a header that was accepted proves nothing. */
import { createHash, randomUUID } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import { failure, type Store, withContentHash } from "./s3-store.ts";

export interface Findings {
  readonly lines: readonly string[];
  /** `If-None-Match: *` is refused on a key that is there. */
  readonly conditional: boolean;
}

/** Throws, with what to do, when the store cannot be used; leaves nothing in it. */
export async function probeStore(store: Store): Promise<Findings> {
  const { client, call } = store;
  const at = store.at(`.probe/${randomUUID()}`);
  const bytes = Buffer.from("tributary");
  await call("write an object", () => client.send(new PutObjectCommand({ ...at, Body: bytes })));
  try {
    const back = await call("read an object", async () => {
      const answer = await client.send(new GetObjectCommand(at));
      return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
    });
    if (!back.equals(bytes)) {
      throw new ProblemError(
        "lake-unavailable",
        "the store gave back other bytes than it was given; do not use it",
      );
    }
    const conditional = await refuses(
      () => client.send(new PutObjectCommand({ ...at, Body: "other", IfNoneMatch: "*" })),
      412,
    );
    const wrong = createHash("sha256").update("something else");
    const hex = wrong.copy().digest("hex");
    const content = await refuses(() =>
      client.send(withContentHash(new PutObjectCommand({ ...at, Body: bytes }), hex)),
    );
    const checksum = await refuses(() =>
      client.send(new PutObjectCommand({ ...at, Body: bytes, ChecksumSHA256: wrong.digest("base64") })),
    );
    const lines = [
      `write and read work in bucket ${store.bucket}`,
      `conditional put: ${conditional ? "works" : "not enforced; our keys are never used twice, we look before we write"}`,
      `wrong content hash: ${content ? "refused" : "accepted, so the store does not check it"}`,
      `wrong x-amz-checksum-sha256: ${checksum ? "refused" : "accepted, so the store does not check it"}`,
      `multipart: ${await multipart(store)}`,
      `versioning: ${await said(async () => (await client.send(new GetBucketVersioningCommand({ Bucket: store.bucket }))).Status ?? "off")}`,
      `object lock: ${await said(async () => (await client.send(new GetObjectLockConfigurationCommand({ Bucket: store.bucket }))).ObjectLockConfiguration?.ObjectLockEnabled ?? "off")}`,
    ];
    await call("delete an object", () => client.send(new DeleteObjectCommand(at)));
    return { lines: [...lines, "delete works"], conditional };
  } catch (error) {
    await client.send(new DeleteObjectCommand(at)).catch(() => {});
    throw error;
  }
}

/** Whether the store says no, with this status where given. */
async function refuses(run: () => Promise<unknown>, status?: number): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    const got = failure(error).status;
    return status === undefined ? got >= 400 && got < 500 : got === status;
  }
}

async function said(run: () => Promise<string>): Promise<string> {
  try {
    return await run();
  } catch (error) {
    const { status, code } = failure(error);
    return status === 404 ? "off" : `unknown (${status} ${code})`;
  }
}

async function multipart(store: Store): Promise<string> {
  const { client } = store;
  const at = store.at(`.probe/${randomUUID()}`);
  return store.call("take an upload in parts", async () => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(at));
    try {
      const { ETag } = await client.send(
        new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: Buffer.from("part") }),
      );
      const Parts = [{ PartNumber: 1, ETag }];
      await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
    } catch (error) {
      await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {});
      throw error;
    }
    await client.send(new DeleteObjectCommand(at));
    return "works";
  });
}
