/** The pairs of lake and ledger that journeys run on: the embedded default, and real S3 with real PostgreSQL. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { describe } from "vitest";
import { folderLake, type LakeReader } from "../crash/evidence.ts";
import { describeWithPostgres, describeWithS3, freshBucket, freshDatabase } from "../servers/servers.ts";
import { makeSite, type Site, type SiteOptions } from "./site.ts";

export interface Backend {
  /** A site on this pair, with a reader for what lies in its lake. */
  site(options?: SiteOptions): Promise<Made>;
}

export interface Made {
  readonly site: Site;
  readonly lake: LakeReader;
  /** Settings of a receiver on the same lake with an empty ledger. */
  emptyLedger(): Promise<Readonly<Record<string, unknown>>>;
}

/** The embedded default. */
export const onDirectoryAndSqlite: Backend = {
  site: async (options = {}) => {
    const site = await makeSite(options);
    const path = join(site.dir, "receiver", "lake");
    return { site, lake: folderLake(path), emptyLedger: async () => ({ lake: { kind: "directory", path } }) };
  },
};

/** Runs the same journeys on both pairs. */
export function describeOnBackends(name: string, tests: (backend: Backend) => void): void {
  describe(`${name}, on directory and SQLite`, () => tests(onDirectoryAndSqlite));
  describeOnCephAndPostgres(name, tests);
}

export function describeOnCephAndPostgres(name: string, tests: (backend: Backend) => void): void {
  describeWithS3(`${name}, on Ceph`, (s3) => {
    describeWithPostgres("and PostgreSQL", (postgres) =>
      tests({
        site: async (options = {}) => {
          const bucket = await freshBucket(s3);
          const url = await freshDatabase(postgres);
          const { endpoint, region, accessKeyId, secretAccessKey } = s3;
          const lake = {
            kind: "s3",
            bucket,
            endpoint,
            region,
            forcePathStyle: true,
            accessKeyId,
            secretAccessKey,
          };
          const site = await makeSite({
            ...options,
            receiver: { lake, ledger: { kind: "postgres", url }, ...options.receiver },
          });
          return {
            site,
            emptyLedger: async () => ({ ledger: { kind: "postgres", url: await freshDatabase(postgres) } }),
            lake: bucketLake(
              new S3Client({
                endpoint,
                region,
                forcePathStyle: true,
                credentials: { accessKeyId, secretAccessKey },
              }),
              bucket,
            ),
          };
        },
      }),
    );
  });
}

function bucketLake(client: S3Client, bucket: string): LakeReader {
  const read = async (key: string): Promise<Readable> => {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return answer.Body as Readable;
  };
  return {
    keys: async (prefix) => {
      const keys: string[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
        for (const object of page.Contents ?? []) keys.push(object.Key as string);
      }
      return keys;
    },
    sha256: async (key) => {
      const hash = createHash("sha256");
      for await (const chunk of await read(key)) hash.update(chunk as Buffer);
      return hash.digest("hex");
    },
    text: async (key) => Buffer.concat(await (await read(key)).toArray()).toString("utf8"),
  };
}
