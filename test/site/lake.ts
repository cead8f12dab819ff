/** A site's lake as it lies there, read past the receiver: a folder here, a bucket elsewhere. */
import { createHash } from "node:crypto";
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import type { S3Server } from "../servers/ceph.ts";

export interface LakeReader {
  keys(prefix: string): Promise<string[]>;
  sha256(key: string): Promise<string>;
  bytes(key: string): Promise<Buffer>;
}

interface Objects {
  keys(prefix: string): Promise<string[]>;
  stream(key: string): Promise<Readable>;
}

export const folderLake = (root: string): LakeReader =>
  reader({
    keys: async (prefix) =>
      readdirSync(join(root, prefix), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
    stream: async (key) => createReadStream(join(root, key)),
  });

export function bucketLake(s3: S3Server, bucket: string): LakeReader {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  return reader({
    keys: async (prefix) => {
      const keys: string[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }))
        for (const object of page.Contents ?? []) keys.push(object.Key as string);
      return keys;
    },
    stream: async (key) =>
      (await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body as Readable,
  });
}

function reader({ keys, stream }: Objects): LakeReader {
  return {
    keys,
    sha256: async (key) => {
      const hash = createHash("sha256");
      await pipeline(await stream(key), hash);
      return hash.digest("hex");
    },
    bytes: async (key) => Buffer.concat(await (await stream(key)).toArray()),
  };
}

/** Every line of its manifest; none where nothing was recorded yet. */
export async function manifestOf(lake: LakeReader): Promise<readonly ManifestLine[]> {
  const lines: ManifestLine[] = [];
  for (const key of await lake.keys("manifest").catch(() => []))
    for (const line of (await lake.bytes(key)).toString("utf8").split("\n"))
      if (line !== "") lines.push(JSON.parse(line) as ManifestLine);
  return lines;
}
