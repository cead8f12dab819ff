import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { describeWithS3, freshBucket } from "@tributary/test/servers/servers.ts";
import { afterAll, expect, test } from "vitest";
import { CLAIM } from "./claim.ts";
import { chunked, type LakeUnderTest, lakeContract, someKey } from "./lake.contract.ts";
import type { AnyLake, PartUpload, StoredPart } from "./lake.ts";
import { openS3Lake } from "./s3.ts";
import { copyObject } from "./s3-copy.ts";
import { publishObject } from "./s3-publish.ts";
import { openStore } from "./s3-store.ts";
import { unfinishedContract } from "./unfinished.contract.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const spools: string[] = [];
const freshSpool = async (): Promise<string> => {
  const spool = await mkdtemp(join(tmpdir(), "tributary-spool-"));
  spools.push(spool);
  return spool;
};
afterAll(() => Promise.all(spools.map((spool) => rm(spool, { recursive: true, force: true }))));

describeWithS3("S3", (s3) => {
  const underTest = async (): Promise<LakeUnderTest> => {
    const spool = await freshSpool();
    const bucket = await freshBucket(s3);
    const reopen = () => openS3Lake({ ...s3, site, bucket, prefix: "lake/", forcePathStyle: true, spool });
    const store = openStore({ ...s3, bucket, prefix: "lake/", forcePathStyle: true, spool });
    const claim = store.at(CLAIM);
    return {
      lake: await reopen(),
      reopen,
      async setClaim(text) {
        const there = await store.client.send(new GetObjectCommand(claim)).catch(() => undefined);
        await store.client.send(
          text === undefined
            ? new DeleteObjectCommand(claim)
            : new PutObjectCommand({ ...claim, Body: text }),
        );
        return (await there?.Body?.transformToString()) ?? "";
      },
      leftovers: async () =>
        (await readdir(spool, { recursive: true })).filter((name) => /\/\d+$|^unfinished\/./.test(name))
          .length,
    };
  };
  lakeContract("Ceph", underTest);
  unfinishedContract("Ceph", underTest);

  test("the probe names the fault: credentials, bucket, endpoint, prefix", async () => {
    const bucket = await freshBucket(s3);
    const spool = await freshSpool();
    const probe = async (change: object) =>
      (await openS3Lake({ ...s3, site, bucket, forcePathStyle: true, spool, ...change })).probe();
    expect(await probe({})).toEqual(
      expect.arrayContaining(["conditional put: works", "multipart: works", "delete works"]),
    );
    await expect(probe({ secretAccessKey: "wrong" })).rejects.toThrow(/does not accept the credentials/);
    await expect(probe({ accessKeyId: "nobody" })).rejects.toThrow(/does not accept the credentials/);
    await expect(probe({ bucket: "not-there" })).rejects.toThrow(/there is no bucket not-there/);
    await expect(probe({ endpoint: "http://127.0.0.1:9" })).rejects.toThrow(/cannot be reached/);
    await expect(probe({ prefix: "/x" })).rejects.toThrow(/lake.prefix/);
  });

  test("more than the store may copy at once goes in pieces, with its metadata", async () => {
    const [bucket, spool] = [await freshBucket(s3), await freshSpool()];
    const lake = await openS3Lake({ ...s3, site, bucket, forcePathStyle: true, spool });
    const store = openStore({ ...s3, bucket, forcePathStyle: true, spool });
    const MiB = 2 ** 20;
    const bytes = randomBytes(33 * MiB + 1);
    const [from, to] = [someKey("a=b/100%.bin"), someKey("a=b/100%.bin")];
    await lake.publish(await lake.stage(chunked(bytes)), from, { captureId: "x" });
    await copyObject(store, from, to, 5 * MiB);
    const { Body, Metadata } = await store.client.send(new GetObjectCommand(store.at(to)));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    expect(Metadata).toMatchObject({ captureid: "x" });
    await lake.remove(from);
    await expect(copyObject(store, from, someKey(), 5 * MiB)).rejects.toThrow("there is no object");
    expect(await Array.fromAsync(lake.open())).toEqual([]);
  });

  test("a bucket and prefix are one site's, and the ledger's lake", async () => {
    const [bucket, spool] = [await freshBucket(s3), await freshSpool()];
    const open = (change: object = {}) =>
      openS3Lake({ ...s3, site, bucket, forcePathStyle: true, spool, ...change });
    const opened = await Promise.all([open(), open(), open()]);
    const [lake] = new Set(opened.map((one) => one.id));
    expect(opened.every((one) => one.id === lake)).toBe(true);
    expect((await open({ lake })).id).toBe(lake);
    expect(await Array.fromAsync((await open()).list(""))).toEqual([]);
    // Uploads beside `raw/` may be anybody's: the sweep must not hear of them.
    const ours = someKey();
    for (const key of ["backups/of-another.bin", ours]) await opened[0]?.begin(key, {});
    expect((await Array.fromAsync((await open()).open())).map((one) => one.key)).toEqual([ours]);
    await expect(open({ site: "other" })).rejects.toThrow(/belongs to the site/);
    await expect(open({ lake: "another" })).rejects.toThrow(/but this ledger belongs to the lake another/);
    await expect(open({ lake, prefix: "empty/" })).rejects.toThrow(/there is no lake in bucket/);
    // A lake of before the claim: its ledger has entries, and knows no lake.
    expect((await open({ begun: true, prefix: "old/" })).id).not.toBe(lake);
  });

  const fresh = async (change: object = {}) => {
    const spool = await freshSpool();
    return openS3Lake({ ...s3, site, bucket: await freshBucket(s3), forcePathStyle: true, spool, ...change });
  };

  test("above 64 MiB in parts: bytes, our own retry, other bytes refused", async () => {
    const lake = await fresh();
    const bytes = Buffer.alloc(70 * 1024 * 1024, randomBytes(1_000_003));
    const key = someKey("large.bin");
    for (const _ of ["first", "again"]) await lake.publish(await lake.stage(chunked(bytes)), key, {});
    const hash = createHash("sha256");
    for await (const chunk of (await lake.read(key)) ?? []) hash.update(chunk as Buffer);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
    bytes[0] = (bytes[0] as number) ^ 1;
    await expect(lake.publish(await lake.stage(chunked(bytes)), key, {})).rejects.toThrow(
      "taken by other bytes",
    );
    expect(await Array.fromAsync(lake.open())).toEqual([]);
  }, 60_000);

  test("a spool file that cannot be opened leaves no multipart in the store", async () => {
    const bucket = await freshBucket(s3);
    const spool = await freshSpool();
    const options = { ...s3, site, bucket, forcePathStyle: true, spool };
    const key = someKey("lost.bin");
    const content = { kind: "file", file: join(spool, "gone") } as const;
    const object = { key, size: 70 * 1024 * 1024, sha256: "0".repeat(64), content, metadata: {} };
    const store = openStore(options);
    await expect(publishObject(store, object, true)).rejects.toMatchObject({ code: "ENOENT" });
    store.client.destroy();
    const lake = await openS3Lake(options);
    expect(await Array.fromAsync(lake.open())).toEqual([]);
  });

  test("parts that the spool may not keep are read back", async () => {
    const lake = await fresh({ keep: 0 });
    const bytes = randomBytes(5 * 1024 * 1024 + 7);
    const key = someKey();
    const upload = { key, handle: await lake.begin(key, {}), size: bytes.length, partSize: 5 * 1024 * 1024 };
    const parts: StoredPart[] = [];
    for (const number of [1, 2]) {
      const piece = bytes.subarray((number - 1) * upload.partSize, number * upload.partSize);
      const staged = await lake.stagePart(upload, number, chunked(piece));
      const { size, sha256 } = staged;
      parts.push({ number, size, sha256, tag: await lake.part(upload, number, staged) });
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect(await lake.complete(upload, parts, sha256)).toEqual({ size: bytes.length, sha256 });
  });

  test("the disk is that of the spool; kept parts go when it is nearly full, and are read back", async () => {
    const spool = await freshSpool();
    const lake = await openS3Lake({
      ...s3,
      site,
      bucket: await freshBucket(s3),
      forcePathStyle: true,
      spool,
    });
    const { bavail, bsize } = await statfs(spool);
    expect(Math.abs(((await lake.free()) ?? 0) - bavail * bsize)).toBeLessThan(2 ** 30);
    const bytes = randomBytes(5 * 1024 * 1024 + 7);
    const key = someKey();
    const upload = { key, handle: await lake.begin(key, {}), size: bytes.length, partSize: 5 * 1024 * 1024 };
    const send = async (number: number): Promise<StoredPart> => {
      const piece = bytes.subarray((number - 1) * upload.partSize, number * upload.partSize);
      const staged = await lake.stagePart(upload, number, chunked(piece));
      const { size, sha256 } = staged;
      return { number, size, sha256, tag: await lake.part(upload, number, staged) };
    };
    const kept = async (): Promise<number> =>
      (await readdir(spool, { recursive: true })).filter((name) => /\/\d+$/.test(name)).length;
    // The second waits for the first, so it is kept.
    const second = await send(2);
    expect(await kept()).toBe(1);
    expect(await lake.relieve()).toBe(7);
    expect([await kept(), await lake.relieve()]).toEqual([0, 0]);
    const first = await send(1);
    expect(await kept()).toBe(0);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect(await lake.complete(upload, [first, second], sha256)).toEqual({ size: bytes.length, sha256 });
  });

  test("parts whose upload another receiver completed do not stay in the spool", async () => {
    const bucket = await freshBucket(s3);
    const [spool, other] = [await freshSpool(), await freshSpool()];
    const options = { ...s3, site, bucket, forcePathStyle: true, keepMs: 1 };
    const lakes: AnyLake[] = [
      await openS3Lake({ ...options, spool }),
      await openS3Lake({ ...options, spool: other }),
    ];
    const partSize = 5 * 1024 * 1024;
    const pieces = [randomBytes(partSize), randomBytes(7)];
    const sha256 = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
    const upload = async () => {
      const key = someKey();
      const lake = lakes[0] as AnyLake;
      return { key, handle: await lake.begin(key, {}), size: partSize + 7, partSize };
    };
    const send = async (lake: AnyLake | undefined, to: PartUpload, number: number): Promise<StoredPart> => {
      const bytes = pieces[number - 1] as Buffer;
      const staged = await (lake as AnyLake).stagePart(to, number, chunked(bytes));
      const { size, sha256 } = staged;
      return { number, size, sha256, tag: await (lake as AnyLake).part(to, number, staged) };
    };
    const kept = async (): Promise<number> =>
      (await readdir(spool, { recursive: true })).filter((name) => /\/\d+$/.test(name)).length;
    const first = await upload();
    const parts = [await send(lakes[0], first, 2), await send(lakes[1], first, 1)];
    expect(await kept()).toBe(1);
    await lakes[1]?.complete(first, parts, sha256);
    const second = await upload();
    await send(lakes[0], second, 1);
    await expect.poll(kept, { timeout: 10_000 }).toBe(0);
  });

  test("lists of objects and of uploads go over their pages", async () => {
    const lake = await fresh({ prefix: "p/" });
    await lake.probe();
    const names = Array.from({ length: 1010 }, (_, n) => someKey(`${n} ä=.csv`)).toSorted();
    const todo = [...names];
    const work = async (): Promise<void> => {
      for (let key = todo.pop(); key !== undefined; key = todo.pop()) {
        await lake.begin(key, {});
        await lake.publish(await lake.stage(chunked(Buffer.from("x"))), key, {});
      }
    };
    await Promise.all(Array.from({ length: 16 }, work));
    expect((await Array.fromAsync(lake.list(""))).map((one) => one.key).toSorted()).toEqual(names);
    expect((await Array.fromAsync(lake.open())).map((one) => one.key).toSorted()).toEqual(names);
  }, 90_000);
});
