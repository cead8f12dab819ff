import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { beforeAll, describe, inject, test } from "vitest";
import { cephPrograms, type S3Server } from "./ceph.ts";
import { CLAMD } from "./clamd.ts";
import { createDatabase, type PostgresServer, postgresPrograms } from "./postgres.ts";

/**
 * A `describe` whose tests need a real S3 server. `s3` is filled before the first test: read it inside tests and
 * hooks, not while the suite is being collected. The server is shared by the whole run: take `freshBucket(s3)`.
 */
export function describeWithS3(name: string, tests: (s3: S3Server) => void): void {
  const missing = cephPrograms.filter((program) => !isInstalled(program));
  const reason = missing.length > 0 ? `no ${missing.join(", ")} here: .ci/prepare installs them` : undefined;
  describeWith("s3", name, reason, tests);
}

/** A `describe` whose tests need a real PostgreSQL; the rules of `describeWithS3`. Take `freshDatabase(postgres)`. */
export function describeWithPostgres(name: string, tests: (postgres: PostgresServer) => void): void {
  const reason = postgresPrograms() === undefined ? "npm brought no PostgreSQL for this platform" : undefined;
  describeWith("postgres", name, reason, tests);
}

/** A `describe` whose tests need ClamAV's daemon; each starts its own with `startClamd`. */
export function describeWithClamd(name: string, tests: () => void): void {
  describeWithPrograms(name, [CLAMD], tests);
}

/** A `describe` whose tests start servers of their own from these programs. Missing, it is skipped by name, or fails with `CI=true`. */
export function describeWithPrograms(name: string, programs: readonly string[], tests: () => void): void {
  const missing = programs.filter((program) => !isInstalled(program)).join(", ");
  if (missing === "") describe(name, tests);
  else if (process.env.CI === "true")
    test(`${name}: no ${missing}`, () => {
      throw new Error(`with CI=true every server has to be there: .ci/prepare installs ${missing}`);
    });
  else describe.skip(`${name} (skipped: no ${missing} here: .ci/prepare installs it)`, tests);
}

/** Makes an empty bucket under a new name. */
export async function freshBucket(s3: S3Server): Promise<string> {
  const Bucket = `test-${crypto.randomUUID()}`;
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket }));
  client.destroy();
  return Bucket;
}

/** Makes an empty database under a new name and gives its URL. */
export const freshDatabase = createDatabase;

/** A missing server skips its tests by name, with the reason; where `CI=true` demands all of them, it fails. */
function describeWith<Server extends object>(
  kind: "s3" | "postgres",
  name: string,
  missing: string | undefined,
  tests: (server: Server) => void,
): void {
  const server = {} as Server;
  if (missing === undefined) {
    describe(name, () => {
      beforeAll(async () => {
        const answer = await fetch(`${inject("servers")}/${kind}`);
        if (!answer.ok) throw new Error(await answer.text());
        Object.assign(server, await answer.json());
      }, 120_000);
      tests(server);
    });
  } else if (process.env.CI === "true") {
    test(`${name}: ${missing}`, () => {
      throw new Error(`with CI=true every server has to be there: ${missing}`);
    });
  } else {
    describe.skip(`${name} (skipped: ${missing})`, () => tests(server));
  }
}

function isInstalled(program: string): boolean {
  if (isAbsolute(program)) return existsSync(program);
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
