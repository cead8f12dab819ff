import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithS3, freshBucket } from "@tributary/test/servers/servers.ts";
import { afterAll, expect, test } from "vitest";
import { lakeContract } from "./lake.contract.ts";
import { openS3Lake } from "./s3.ts";

const spools: string[] = [];
const freshSpool = async (): Promise<string> => {
  const spool = await mkdtemp(join(tmpdir(), "tributary-spool-"));
  spools.push(spool);
  return spool;
};
afterAll(() => Promise.all(spools.map((spool) => rm(spool, { recursive: true, force: true }))));

describeWithS3("S3", (s3) => {
  lakeContract("Ceph", async () => {
    const spool = await freshSpool();
    const bucket = await freshBucket(s3);
    const reopen = () => openS3Lake({ ...s3, bucket, prefix: "lake/", forcePathStyle: true, spool });
    return {
      lake: await reopen(),
      reopen,
      leftovers: async () =>
        (await readdir(spool, { recursive: true })).filter((name) => /\/\d+$/.test(name)).length,
    };
  });

  test("the probe names the fault: credentials, bucket, endpoint, prefix", async () => {
    const bucket = await freshBucket(s3);
    const spool = await freshSpool();
    const probe = async (change: object) =>
      (await openS3Lake({ ...s3, bucket, forcePathStyle: true, spool, ...change })).probe();
    expect(await probe({})).toEqual(
      expect.arrayContaining(["conditional put: works", "multipart: works", "delete works"]),
    );
    await expect(probe({ secretAccessKey: "wrong" })).rejects.toThrow(/does not accept the credentials/);
    await expect(probe({ accessKeyId: "nobody" })).rejects.toThrow(/does not accept the credentials/);
    await expect(probe({ bucket: "not-there" })).rejects.toThrow(/there is no bucket not-there/);
    await expect(probe({ endpoint: "http://127.0.0.1:9" })).rejects.toThrow(/cannot be reached/);
    await expect(probe({ prefix: "/x" })).rejects.toThrow(/lake.prefix/);
  });
});
