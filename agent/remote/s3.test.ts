import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startProxy, type TcpProxy } from "@tributary/test/network/proxy.ts";
import type { S3Server } from "@tributary/test/servers/ceph.ts";
import { describeWithS3, freshBucket } from "@tributary/test/servers/servers.ts";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { FileState } from "../source/state.ts";
import type { RemoteTools } from "./kind.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";
import { remoteSource } from "./remote-source.ts";
import { connectS3 } from "./s3/remote.ts";
import type { S3Settings } from "./s3/settings.ts";
import { s3 } from "./s3.ts";

function toolsWith(read: (name: string) => string, warnings: string[] = []): RemoteTools {
  return {
    secrets: {
      read: async (reference) => read(Object.values(reference)[0] as string),
    },
    parallel: 4,
    warn: (text) => void warnings.push(text),
  };
}

function settingsFor(server: S3Server, bucket: string, more: Record<string, unknown> = {}): S3Settings {
  return s3.settings.parse({
    name: "cloud",
    kind: "s3",
    bucket,
    endpoint: server.endpoint,
    accessKeyId: server.accessKeyId,
    secretAccessKey: { env: "SECRET" },
    ...more,
  });
}

const clientOf = (server: S3Server): S3Client =>
  new S3Client({
    ...{ endpoint: server.endpoint, region: server.region, forcePathStyle: true, credentials: server },
    requestChecksumCalculation: "WHEN_REQUIRED",
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });

async function keysIn(client: S3Client, Bucket: string, Prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken && { ContinuationToken }) }),
    );
    keys.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return keys;
}

async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const some of remote.list(Buffer.from(folder), new AbortController().signal))
    found.push(...some);
  return found;
}

async function read(remote: Remote, path: string, state: FileState, from = 0): Promise<string> {
  await using file = await remote.open(Buffer.from(path), state);
  return Buffer.concat(await Array.fromAsync(file.bytes(from))).toString();
}

const failing = async (work: Promise<unknown>): Promise<RemoteError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
};

const inWords = (entry: Entry): string => {
  switch (entry.kind) {
    case "file":
    case "folder":
      return `${entry.kind} ${entry.name}`;
    case "refused":
      return `refused ${entry.name}: ${entry.reason}`;
    case "other":
      return `other ${entry.name}`;
  }
};

describeWithS3("s3", (server) => {
  for (const versioned of [false, true]) {
    remoteContract(versioned ? "s3 with versions" : "s3", async (): Promise<Yard> => {
      const Bucket = await freshBucket(server);
      const client = clientOf(server);
      if (versioned)
        await client.send(
          new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
        );
      const { hostname, port } = new URL(server.endpoint);
      const proxy: TcpProxy = await startProxy({ target: { host: hostname, port: Number(port) } });
      const near = { ...server, endpoint: `http://127.0.0.1:${proxy.port}` };
      const tools = toolsWith(() => server.secretAccessKey);
      const settings = settingsFor(near, Bucket, { prefix: "yard" });
      return {
        connect: () => s3.connect(settings, tools),
        root: s3.root(settings),
        async write(path, bytes) {
          const Key = `yard/${path}`;
          await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes, ContentLength: bytes.length }));
        },
        async remove(path) {
          await client.send(new DeleteObjectCommand({ Bucket, Key: `yard/${path}` }));
        },
        paths: async () => (await keysIn(client, Bucket, "yard/")).map((one) => one.slice("yard/".length)),
        async away() {
          proxy.set({ refuse: true });
          proxy.dropAll();
          return async () => proxy.set({});
        },
        cut: async () => proxy.dropAll(),
        folders: false,
        anyBytes: false,
        async close() {
          client.destroy();
          await proxy.stop();
        },
      };
    });
  }

  describe("s3 on Ceph", () => {
    let client: S3Client;
    const open: Remote[] = [];
    beforeAll(() => {
      client = clientOf(server);
    });
    afterAll(async () => {
      for (const remote of open) await remote[Symbol.asyncDispose]();
      client.destroy();
    });
    const put = async (Bucket: string, Key: string, Body: string | Buffer): Promise<void> => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: Buffer.byteLength(Body) }));
    };
    const remoteOf = (
      bucket: string,
      more: Record<string, unknown> = {},
      tools = toolsWith(() => server.secretAccessKey),
      options: Parameters<typeof connectS3>[2] = {},
    ): Remote => {
      const remote = connectS3(settingsFor(server, bucket, more), tools, options);
      open.push(remote);
      return remote;
    };
    const versionedBucket = async (): Promise<string> => {
      const Bucket = await freshBucket(server);
      await put(Bucket, "f/old", "from before");
      await client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
      );
      return Bucket;
    };

    test("names come in their order, though keys come in another", async () => {
      const bucket = await freshBucket(server);
      const keys = ["b", "b/x", "b-1", "b.csv", "b0", "c.csv", "c/x", "é/x", "é", "ｚ", "😀"];
      for (const one of keys) await put(bucket, one, "1");
      expect((await listed(remoteOf(bucket))).map(inWords)).toEqual([
        ...["file b", "folder b", "file b-1", "file b.csv", "file b0", "folder c", "file c.csv"],
        ...["file é", "folder é", "file ｚ", "file 😀"],
      ]);
      // An object and a folder of one name are two things, and both are looked at.
      const source = remoteSource({
        ...{ name: "cloud", remote: remoteOf(bucket), root: "", include: [], exclude: [], ignored: [] },
        folder: tmpdir(),
      });
      const found: string[] = [];
      const listing = await source.list(
        Buffer.alloc(0),
        (some) => void found.push(...some.map((one) => String(one.path))),
      );
      expect(listing.complete).toBe(true);
      expect(listing.folders.map(String)).toEqual(["b", "c", "é"]);
      expect(found).toEqual(["b", "b-1", "b.csv", "b0", "c.csv", "é", "ｚ", "😀"]);
    });

    test("what no path can name is shown once, in words, and nothing else is taken for it", async () => {
      const bucket = await freshBucket(server);
      const keys = [
        "/lead",
        "d/",
        "d//x",
        "d//y",
        "d/./x",
        "d/.",
        "d/../x",
        "d/C:",
        "d/a\\..\\b",
        "d/ok",
        "d/\u0001",
        "d/n\nl",
      ];
      for (const one of keys) await put(bucket, one, one === "d/" ? "" : "1");
      const empty = "keys below it have an empty segment (two slashes in a row): no path can name them";
      expect((await listed(remoteOf(bucket))).map(inWords)).toEqual([`refused /: ${empty}`, "folder d"]);
      expect((await listed(remoteOf(bucket), "d")).map(inWords)).toEqual([
        "file \u0001",
        'refused .: its key (".") cannot be a path: it has "." as a segment',
        'refused ..: its key ("..") cannot be a path: it has ".." as a segment',
        `refused /: ${empty}`,
        'refused C:: its key ("C:") cannot be a path: it has the drive letter "C:" as a segment',
        'refused a\\..\\b: its key ("a\\\\..\\\\b") cannot be a path: it has ".." as a segment',
        "file n\nl",
        "file ok",
      ]);
      await put(bucket, "d/", "full");
      const both = (await listed(remoteOf(bucket), "d"))
        .map(inWords)
        .filter((one) => one.startsWith("refused /"));
      expect(both).toEqual([
        `refused /: the object "d/" has 4 bytes, and its key ends in "/": no path can name it; ${empty}`,
      ]);
      // As the whole source: the object of the prefix itself.
      expect((await listed(remoteOf(bucket, { prefix: "d/" }))).map(inWords)[3]).toBe(both[0]);
    });

    test("a prefix is a folder", async () => {
      const bucket = await freshBucket(server);
      for (const one of ["in/a", "in-old/b", "in"]) await put(bucket, one, "1");
      expect((await listed(remoteOf(bucket, { prefix: "in/" }))).map(inWords)).toEqual(["file a"]);
      const remote = await s3.connect(
        settingsFor(server, bucket, { prefix: "in" }),
        toolsWith(() => server.secretAccessKey),
      );
      open.push(remote);
      expect((await listed(remote)).map(inWords)).toEqual(["file a"]);
      expect(await remote.identity()).toBe(`s3://${new URL(server.endpoint).host}/${bucket}/in/`);
    });

    test("all versions and ends of a key, in order, each with its bytes", async () => {
      const bucket = await versionedBucket();
      await put(bucket, "f/k", "v1");
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "f/k" }));
      await put(bucket, "f/k", "v2");
      await put(bucket, "f/old", "second");
      await put(bucket, "f/gone/x", "1");
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "f/gone/x" }));
      const remote = remoteOf(bucket);
      const fresh = remoteOf(bucket);
      const found = await listed(remote, "f");
      expect(found.map(inWords)).toEqual(["folder gone", "file k", "file old"]);
      const [, k, old] = found;
      if (k?.kind !== "file" || old?.kind !== "file") throw new Error("no files");
      expect(k.past?.map(({ deleted, state }) => [deleted, state.size])).toEqual([
        [false, 2],
        [true, 0],
        [false, 2],
      ]);
      expect(new Set(k.past?.map(({ state }) => state.fileId)).size).toBe(3);
      expect(k.past?.at(-1)?.state).toEqual(k.state);
      const [v1] = k.past ?? [];
      if (v1 === undefined) throw new Error("no version");
      // With what the listing left, and found anew by its id alone.
      for (const one of [remote, fresh]) {
        expect(await read(one, "f/k", v1.state)).toBe("v1");
        expect(await read(one, "f/k", v1.state, 1)).toBe("1");
        expect(await read(one, "f/k", k.state)).toBe("v2");
      }
      await using file = await fresh.open(Buffer.from("f/k"), v1.state);
      expect(await file.again()).toEqual(v1.state);
      const [before] = old.past ?? [];
      expect(await read(fresh, "f/old", before?.state as FileState)).toBe("from before");
      const gone = await listed(remote, "f/gone");
      expect(gone.map((one) => one.kind === "file" && one.past?.map(({ deleted }) => deleted))).toEqual([
        [false, true],
      ]);
      expect(await remote.look(Buffer.from("f/gone/x"))).toEqual(gone[0]);
      expect(await remote.look(Buffer.from("f/gone/never"))).toBeUndefined();
      expect(await remote.look(Buffer.from("f/k"))).toEqual(k);
      // As it is now: it is gone, and nothing that it was is taken for it.
      const now = { size: 0, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
      expect((await failing(read(fresh, "f/gone/x", now))).failure).toBe("absent");
      expect(await read(fresh, "f/k", now)).toBe("v2");
      // A version that is removed for good is not another one.
      const ended = k.past?.[1]?.state as FileState;
      expect((await failing(read(fresh, "f/k", ended))).failure).toBe("changed");
    });

    test("versions of one key over many pages are one chain", async () => {
      const bucket = await versionedBucket();
      for (let i = 0; i < 1_100; i += 1) await put(bucket, "f/many", `v${i}`);
      await put(bucket, "f/many-more", "1");
      const remote = remoteOf(bucket);
      const [many, more] = await listed(remote, "f");
      if (many?.kind !== "file") throw new Error("no file");
      expect(many.past?.length).toBe(1_100);
      expect(more && inWords(more)).toBe("file many-more");
      expect(await read(remote, "f/many", many.past?.[0]?.state as FileState)).toBe("v0");
      expect(await remote.look(Buffer.from("f/many"))).toEqual(many);
    }, 60_000);

    test("the version without an id is replaced in its place, and is another state then", async () => {
      const bucket = await versionedBucket();
      await client.send(
        new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Suspended" } }),
      );
      const remote = remoteOf(bucket);
      const before = await remote.look(Buffer.from("f/old"));
      if (before?.kind !== "file") throw new Error("no file");
      await put(bucket, "f/old", "from behind");
      const after = await remote.look(Buffer.from("f/old"));
      if (after?.kind !== "file") throw new Error("no file");
      expect(after.state.fileId).not.toBe(before.state.fileId);
      expect((await failing(read(remote, "f/old", before.state))).failure).toBe("changed");
      expect(await read(remote, "f/old", after.state)).toBe("from behind");
    });

    test("delete and move in a bucket with versions take nothing away", async () => {
      const bucket = await versionedBucket();
      const remote = remoteOf(bucket);
      const [entry] = await listed(remote, "f");
      if (entry?.kind !== "file") throw new Error("no file");
      const path = Buffer.from("f/old");
      expect(await remote.exactly?.move(path, entry.state, Buffer.from("/done/f/old"), "u")).toBe(true);
      expect(await keysIn(client, bucket)).toEqual(["done/f/old"]);
      const [end] = await listed(remote, "f");
      expect(end?.kind === "file" && end.past?.map(({ deleted }) => deleted)).toEqual([false, true]);
      expect(await read(remote, "f/old", entry.state)).toBe("from before");
    });

    test("odd names are moved and deleted like others", async () => {
      const bucket = await freshBucket(server);
      const remote = remoteOf(bucket);
      const names = ["größe 100%+x", "%41", "a b", 'q"\\', "?x=1&y#z", "😀\u0001"];
      for (const name of names) await put(bucket, `in/${name}`, name);
      for (const entry of await listed(remote, "in")) {
        if (entry.kind !== "file") throw new Error("no file");
        const path = Buffer.concat([Buffer.from("in/"), entry.name]);
        const to = Buffer.concat([Buffer.from("done/"), entry.name]);
        expect(await remote.exactly?.move(path, entry.state, to, "u")).toBe(true);
      }
      for (const entry of await listed(remote, "done")) {
        if (entry.kind !== "file") throw new Error("no file");
        const path = Buffer.concat([Buffer.from("done/"), entry.name]);
        expect(await read(remote, String(path), entry.state)).toBe(String(entry.name));
        expect(await remote.exactly?.remove(path, entry.state)).toBe(true);
      }
      expect(await listed(remote)).toEqual([]);
    });

    test("what is too large for one copy is copied in pieces, with its metadata, whatever its name", async () => {
      const bucket = await freshBucket(server);
      const remote = remoteOf(bucket, {}, undefined, { pieces: { single: 1_000, piece: 5 * 1024 ** 2 } });
      const bytes = randomBytes(11_000_000);
      for (const name of ["big", "größe 100%+x"]) {
        const Key = `in/${name}`;
        await client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key,
            Body: bytes,
            ContentLength: bytes.length,
            Metadata: { from: "pos" },
          }),
        );
        const entry = await remote.look(Buffer.from(Key));
        if (entry?.kind !== "file") throw new Error("no file");
        expect(
          await remote.exactly?.move(Buffer.from(Key), entry.state, Buffer.from(`done/${name}`), "u"),
        ).toBe(true);
        const moved = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `done/${name}` }));
        expect(moved.Metadata).toEqual({ from: "pos" });
        expect(Buffer.from((await moved.Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
      }
      expect((await keysIn(client, bucket)).sort()).toEqual(["done/big", "done/größe 100%+x"].sort());
    }, 60_000);

    test("keys that are not right are named, and the secret is not", async () => {
      const bucket = await freshBucket(server);
      const unknown = await failing(remoteOf(bucket, { accessKeyId: "nobody" }).identity());
      expect([unknown.failure, unknown.message]).toEqual(["away", expect.stringContaining("`accessKeyId`")]);
      const wrong = remoteOf(
        bucket,
        {},
        toolsWith(() => "not-the-secret"),
      );
      const error = await failing(wrong.identity());
      expect([error.failure, error.message]).toEqual(["away", expect.stringContaining("`secretAccessKey`")]);
      expect(error.message).not.toContain("not-the-secret");
      // A HEAD is refused without a word: a listing says why.
      expect(
        (await failing(remoteOf(bucket, { versions: false, accessKeyId: "nobody" }).look(Buffer.from("x"))))
          .message,
      ).toContain("`accessKeyId`");
      const missing = await failing(remoteOf("no-such-bucket").identity());
      expect([missing.failure, missing.message]).toEqual([
        "away",
        expect.stringContaining("was it renamed or removed?"),
      ]);
      const look = await failing(remoteOf("no-such-bucket", { versions: false }).look(Buffer.from("x")));
      expect(look.failure).toBe("away");
    });

    test("keys that were renewed count at the next request", async () => {
      const bucket = await freshBucket(server);
      let secret = server.secretAccessKey;
      let reads = 0;
      const tools = toolsWith(() => {
        reads += 1;
        return secret;
      });
      secret = "former";
      const remote = remoteOf(bucket, { versions: false }, tools);
      await failing(remote.identity());
      secret = server.secretAccessKey;
      await put(bucket, "x", "1");
      expect(await remote.look(Buffer.from("x"))).toMatchObject({ kind: "file" });
      const before = reads;
      expect((await listed(remote)).length).toBe(1);
      expect(reads).toBe(before);
    });

    test("a clock that is a day off is no hindrance", async () => {
      const bucket = await freshBucket(server);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 86_400_000 });
      try {
        expect(await remoteOf(bucket).identity()).toContain(bucket);
      } finally {
        vi.useRealTimers();
      }
    });

    test("the same second, twice: the look of a listing and of a single object agree", async () => {
      const bucket = await freshBucket(server);
      await put(bucket, "x", "1");
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: "x" }));
      const [entry] = await listed(remoteOf(bucket));
      expect(entry?.kind === "file" && entry.state.mtimeNs).toBe(
        BigInt(head.LastModified?.getTime() ?? 0) * 1_000_000n,
      );
    });
  });
});
