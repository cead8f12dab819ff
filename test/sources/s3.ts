/** A bucket on Ceph, behind a line that counts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CopyObjectCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { startProxy } from "../network/proxy.ts";
import { startCeph } from "../servers/ceph.ts";
import { freshBucket } from "../servers/servers.ts";
import type { Back, Yard } from "./yard.ts";

export interface S3Yard extends Yard {
  /** From now on the bucket keeps every version. */
  keepVersions(): Promise<void>;
}

/** `own`: a folder of the host, for what its administrator puts into files. */
export async function s3Yard(own: string): Promise<S3Yard> {
  const ceph = await startCeph();
  const bucket = await freshBucket(ceph);
  const { endpoint, region, accessKeyId } = ceph;
  const line = await startProxy({ target: { host: "127.0.0.1", port: Number(new URL(endpoint).port) } });
  const file = join(own, "s3-secret");
  let secret = ceph.secretAccessKey;
  await writeFile(file, secret, { mode: 0o600 });
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    credentials: async () => ({
      accessKeyId,
      secretAccessKey: secret,
      expiration: new Date(Date.now() + 1000),
    }),
  });
  const at = (path: string | Buffer) => ({ Bucket: bucket, Key: String(path) });

  async function forbid(act: string, paths: string): Promise<Back> {
    const Statement = [
      { Effect: "Deny", Principal: "*", Action: [act], Resource: [`arn:aws:s3:::${bucket}/${paths}`] },
    ];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    return async () => void (await client.send(new DeleteBucketPolicyCommand({ Bucket: bucket })));
  }

  const yard: S3Yard = {
    kind: "s3",
    anyBytes: false,
    lineBreaks: true,
    source: (folder, credential = { file }) => ({
      kind: "s3",
      bucket,
      prefix: `${folder}/`,
      endpoint: `http://127.0.0.1:${line.port}`,
      accessKeyId,
      secretAccessKey: credential,
    }),
    async write(path, bytes) {
      await client.send(new PutObjectCommand({ ...at(path), Body: bytes }));
    },
    async rename(from, to) {
      const CopySource = encodeURIComponent(`${bucket}/${from}`);
      await client.send(new CopyObjectCommand({ ...at(to), CopySource }));
      await yard.remove(from);
    },
    remove: async (path) => void (await client.send(new DeleteObjectCommand(at(path)))),
    async paths(folder) {
      const found: string[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: `${folder}/` }))
        for (const { Key } of page.Contents ?? []) found.push((Key as string).slice(folder.length + 1));
      return found.toSorted();
    },
    modified: async (path) =>
      (await client.send(new HeadObjectCommand(at(path)))).LastModified?.getTime() as number,
    async away() {
      line.set({ refuse: true });
      line.dropAll();
      return async () => line.set({});
    },
    deny: (path) => forbid("s3:GetObject", path),
    closed: async (folder) => ({ settings: {}, open: await forbid("s3:DeleteObject", `${folder}/*`) }),
    keepVersions: async () =>
      void (await client.send(
        new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }),
      )),
    login: {
      secret: () => secret,
      async change() {
        const next = crypto.randomUUID();
        await ceph.setSecret(next);
        secret = next;
        await writeFile(file, secret, { mode: 0o600 });
      },
    },
    received: () => line.bytes.down,
    async stop() {
      client.destroy();
      await line.stop();
      await ceph.stop();
    },
  };
  return yard;
}
