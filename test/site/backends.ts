/** The pairs of lake and ledger that journeys run on: the embedded default, and real S3 with real PostgreSQL. */
import { join } from "node:path";
import { describe } from "vitest";
import { describeWithPostgres, describeWithS3, freshBucket, freshDatabase } from "../servers/servers.ts";
import { bucketLake } from "./lake.ts";
import { makeSite, type Site, type SiteOptions } from "./site.ts";

export interface Backend {
  /** A site on this pair. */
  site(options?: SiteOptions): Promise<Made>;
}

export interface Made {
  readonly site: Site;
  /** Settings of a receiver on the same lake with an empty ledger. */
  emptyLedger(): Promise<Readonly<Record<string, unknown>>>;
}

/** The embedded default. */
export const onDirectoryAndSqlite: Backend = {
  site: async (options = {}) => {
    const site = await makeSite(options);
    const path = join(site.dir, "receiver", "lake");
    return { site, emptyLedger: async () => ({ lake: { kind: "directory", path } }) };
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
            lake: bucketLake(s3, bucket),
            receiver: { lake, ledger: { kind: "postgres", url }, ...options.receiver },
          });
          return {
            site,
            emptyLedger: async () => ({ ledger: { kind: "postgres", url: await freshDatabase(postgres) } }),
          };
        },
      }),
    );
  });
}
