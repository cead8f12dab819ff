/** What is durable when, and what a failing disk leaves: the calls to the file system are recorded, and made to fail. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openDirectoryLake } from "./directory.ts";
import { type Disk, realDisk, sharedSync } from "./disk.ts";
import { chunked, someKey } from "./lake.contract.ts";
import type { PartUpload } from "./lake.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const folder = mkdtempSync(join(tmpdir(), "tributary-durable-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let root: string;
let calls: string[];
/** Asked before each call; may throw. */
let before: (call: string) => void | Promise<void>;

beforeEach(() => {
  root = mkdtempSync(join(folder, "lake-"));
  calls = [];
  before = () => {};
});

const fault = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

/** The real disk, telling what it is asked. */
function watched(): Disk {
  const tell = async (call: string): Promise<void> => {
    calls.push(call);
    await before(call);
  };
  const name = (path: unknown): string => relative(root, String(path)) || ".";
  const watchHandle = (handle: FileHandle, path: string): FileHandle =>
    new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (property === "sync" || property === "write" || property === "writeFile") {
            await tell(`${property} ${path}`);
          }
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return {
    ...realDisk,
    open: async (path, flags, mode) => watchHandle(await realDisk.open(path, flags, mode), name(path)),
    link: async (from, to) => {
      await tell(`link ${name(from)}`);
      return realDisk.link(from, to);
    },
    rename: async (from, to) => {
      await tell(`rename ${name(from)} ${name(to)}`);
      return realDisk.rename(from, to);
    },
  };
}

const openLake = () => openDirectoryLake({ root, site, disk: watched() });
const inStaging = async (): Promise<string[]> =>
  (await readdir(join(root, ".staging"), { recursive: true })).filter((path) => /\/\d+(\/|$)/.test(path));

/** Every call names a place once, in this order. */
function expectOrder(...patterns: RegExp[]): void {
  let at = -1;
  for (const pattern of patterns) {
    const next = calls.findIndex((call, index) => index > at && pattern.test(call));
    expect(next, `${pattern} after call ${at} in:\n${calls.join("\n")}`).toBeGreaterThan(at);
    at = next;
  }
}

describe("a new lake", () => {
  const openNew = () => openDirectoryLake({ root: join(root, "a", "b", "lake"), site, disk: watched() });

  test("is there after a power cut: every folder that was made for it, then its claim", async () => {
    await openNew();
    expectOrder(/^sync a\/b$/, /^sync a$/, /^sync \.$/, /^writeFile a\/b\/lake\//, /^sync a\/b\/lake$/);
  });

  test("is not taken when a folder on the way to it cannot be made durable, and is at the next try", async () => {
    before = (call) => {
      if (call === "sync a") throw fault("EIO");
    };
    await expect(openNew()).rejects.toMatchObject({ code: "lake-unavailable" });
    calls.length = 0;
    before = () => {};
    await openNew();
    expectOrder(/^sync a\/b$/, /^sync a$/, /^sync \.$/, /^writeFile a\/b\/lake\//);
  });
});

describe("publish", () => {
  test.for([10, 3 * 1024 * 1024])("%d bytes: file, its folders, rename, the date's folder", async (size) => {
    const lake = await openLake();
    const key = someKey("deep/er/a.csv");
    await lake.publish(await lake.stage(chunked(randomBytes(size))), key, {});
    expectOrder(
      /^sync \.staging\/bodies\/\S+\/\d+(\/deep\/er\/a\.csv)?$/,
      /^sync \.staging\/bodies\/\S+\/\d+\/deep\/er$/,
      /^sync \.staging\/bodies\/\S+\/\d+\/deep$/,
      /^sync \.staging\/bodies\/[^/]+\/\d+$/,
      /^rename \.staging\/\S+ raw\/client=demo\/source=pos\/date=2026-01-02\/[^/]+$/,
      /^sync raw\/client=demo\/source=pos\/date=2026-01-02$/,
    );
    for (const parent of ["raw/client=demo/source=pos", "raw/client=demo", "raw", "."]) {
      expect(calls).toContain(`sync ${parent}`);
    }
    calls.length = 0;
    await lake.publish(await lake.stage(chunked(randomBytes(size))), someKey("b.csv"), {});
    expect(calls.filter((call) => call.startsWith("sync raw"))).toEqual([
      "sync raw/client=demo/source=pos/date=2026-01-02",
    ]);
  });

  test.for([
    ["ENOSPC", /^write/],
    ["EIO", /^sync \.staging\/bodies\/\S+$/],
    ["EIO", /^rename/],
    ["EIO", /^sync raw\/client=demo\/source=pos\/date=2026-01-02$/],
    ["EIO", /^sync \.$/],
  ] as const)("%s at %s is a problem, shows nothing and leaves nothing", async ([code, where]) => {
    for (const size of [10, 3 * 1024 * 1024]) {
      root = mkdtempSync(join(folder, "lake-"));
      const lake = await openLake();
      const key = someKey();
      let fired = 0;
      before = (call) => {
        if (!where.test(call) || fired++ > 0) return;
        throw fault(code);
      };
      const put = async () => lake.publish(await lake.stage(chunked(randomBytes(size))), key, {});
      await expect(put()).rejects.toMatchObject({ code: "lake-unavailable" });
      expect(fired).toBeGreaterThan(0);
      before = () => {};
      expect(await lake.read(key)).toBeUndefined();
      expect(await inStaging()).toEqual([]);
      await put();
      expect(await lake.read(key).then((stream) => stream?.destroy())).toBeDefined();
    }
  });
});

describe("parts", () => {
  const partSize = 2 * 1024 * 1024;
  const bytes = randomBytes(2 * partSize + 1000);
  const whole = { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  const piece = (number: number) => bytes.subarray((number - 1) * partSize, number * partSize);
  const begin = async (lake: Awaited<ReturnType<typeof openLake>>): Promise<PartUpload> => {
    const key = someKey("big.bin");
    return { key, handle: await lake.begin(key, {}), size: bytes.length, partSize };
  };

  test("a part is synced before it is stored, and no byte is written twice", async () => {
    const lake = await openLake();
    const upload = await begin(lake);
    calls.length = 0;
    const parts = [];
    for (const number of [1, 2, 3]) {
      const staged = await lake.stagePart(upload, number, chunked(piece(number)));
      expect(calls.every((call) => call.startsWith("write .staging/uploads/"))).toBe(true);
      const { size, sha256 } = staged;
      parts.push({ number, size, sha256, tag: await lake.part(upload, number, staged) });
      expect(calls.at(-1)).toMatch(/^sync \.staging\/uploads\/.*big\.bin$/);
      calls.length = 0;
    }
    expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
    expectOrder(/^rename \.staging\/uploads\//, /^sync raw\/client=demo\/source=pos\/date=2026-01-02$/);
  });

  test("a whole with the wrong digest is not renamed into the lake for a moment", async () => {
    const lake = await openLake();
    const upload = await begin(lake);
    const parts = [];
    for (const number of [1, 2, 3]) {
      const staged = await lake.stagePart(upload, number, chunked(piece(number)));
      const { size, sha256 } = staged;
      parts.push({ number, size, sha256, tag: await lake.part(upload, number, staged) });
    }
    calls.length = 0;
    await expect(lake.complete(upload, parts, "0".repeat(64))).rejects.toMatchObject({
      code: "digest-mismatch",
    });
    expect(calls.filter((call) => call.startsWith("rename"))).toEqual([]);
    expect(await readdir(join(root, ".staging", "uploads"))).toEqual([]);
  });

  test("a failed fsync refuses every part that was not stored yet; sent again they are whole", async () => {
    const lake = await openLake();
    const upload = await begin(lake);
    const one = await lake.stagePart(upload, 1, chunked(piece(1)));
    await lake.part(upload, 1, one);
    const two = await lake.stagePart(upload, 2, chunked(piece(2)));
    const three = await lake.stagePart(upload, 3, chunked(piece(3)));
    before = (call) => {
      if (call.startsWith("sync")) throw fault("EIO");
    };
    await expect(lake.part(upload, 2, two)).rejects.toMatchObject({ code: "lake-unavailable" });
    before = () => {};
    await expect(lake.part(upload, 3, three)).rejects.toMatchObject({ code: "lake-unavailable" });
    const parts = [{ number: 1, size: one.size, sha256: one.sha256, tag: "" }];
    for (const number of [2, 3]) {
      const { size, sha256 } = await lake
        .stagePart(upload, number, chunked(piece(number)))
        .then(async (staged) => {
          await lake.part(upload, number, staged);
          return staged;
        });
      parts.push({ number, size, sha256, tag: "" });
    }
    expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
  });

  test("a rival for a place that is being written does not touch it, and the first to be stored wins", async () => {
    const lake = await openLake();
    const upload = await begin(lake);
    const rival = randomBytes(partSize);
    let goOn = (): void => {};
    const half = async function* (): AsyncGenerator<Uint8Array> {
      yield piece(1).subarray(0, partSize / 2);
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      yield* chunked(piece(1).subarray(partSize / 2));
    };
    const slow = lake.stagePart(upload, 1, half());
    slow.catch(() => {});
    const staged = await lake.stagePart(upload, 1, chunked(rival));
    await lake.part(upload, 1, staged);
    goOn();
    await expect(slow).rejects.toMatchObject({ code: "busy" });
    const parts = [{ number: 1, size: staged.size, sha256: staged.sha256, tag: "" }];
    for (const number of [2, 3]) {
      const next = await lake.stagePart(upload, number, chunked(piece(number)));
      await lake.part(upload, number, next);
      parts.push({ number, size: next.size, sha256: next.sha256, tag: "" });
    }
    const expected = Buffer.concat([rival, piece(2), piece(3)]);
    const sha256 = createHash("sha256").update(expected).digest("hex");
    expect(await lake.complete(upload, parts, sha256)).toEqual({ size: expected.length, sha256 });
  });

  test("a failed publish of the whole can be repeated", async () => {
    const lake = await openLake();
    const upload = await begin(lake);
    const parts = [];
    for (const number of [1, 2, 3]) {
      const staged = await lake.stagePart(upload, number, chunked(piece(number)));
      const { size, sha256 } = staged;
      parts.push({ number, size, sha256, tag: await lake.part(upload, number, staged) });
    }
    for (const where of [/^rename/, /^sync raw.*date=/]) {
      let fired = false;
      before = (call) => {
        if (fired || !where.test(call)) return;
        fired = true;
        throw fault("EIO");
      };
      await expect(lake.complete(upload, parts, whole.sha256)).rejects.toMatchObject({
        code: "lake-unavailable",
      });
      expect(fired).toBe(true);
      expect(await lake.read(upload.key)).toBeUndefined();
    }
    expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
  });
});

describe("one fsync for many", () => {
  test("a call is covered by a sync that started after it, and a failure refuses all who wait", async () => {
    const syncs: { resolve: () => void; reject: (error: Error) => void }[] = [];
    const sync = sharedSync(() => new Promise<void>((resolve, reject) => syncs.push({ resolve, reject })));
    const first = sync("a");
    const [second, third] = [sync("a"), sync("a")];
    expect(syncs.length).toBe(1);
    syncs[0]?.resolve();
    await first;
    await expect.poll(() => syncs.length).toBe(2);
    const fourth = sync("a");
    syncs[1]?.reject(fault("EIO"));
    for (const waiting of [second, third, fourth]) await expect(waiting).rejects.toThrow("EIO");
    const later = sync("a");
    expect(syncs.length).toBe(3);
    syncs[2]?.resolve();
    await later;
  });
});

const mayMount = process.getuid?.() === 0 && process.platform === "linux";

test.skipIf(!mayMount)("a disk that is really full (needs root, to mount one)", async ({ skip }) => {
  const small = join(folder, "small");
  mkdirSync(small);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]);
  } catch {
    return skip("root may not mount here");
  }
  try {
    const lake = await openDirectoryLake({ root: small, site });
    const stage = (size: number) => lake.stage(chunked(randomBytes(size)));
    await expect(stage(8 * 1024 * 1024)).rejects.toMatchObject({
      code: "lake-unavailable",
      message: expect.stringContaining("its disk is full") as string,
    });
    const key = someKey();
    const upload = { key, handle: await lake.begin(key, {}), size: 2 ** 24, partSize: 2 ** 23 };
    await expect(lake.stagePart(upload, 1, chunked(randomBytes(2 ** 23)))).rejects.toMatchObject({
      code: "lake-unavailable",
    });
    await lake.abort(upload);
    const fits = randomBytes(1024 * 1024);
    await lake.publish(await lake.stage(chunked(fits)), someKey(), {});
    expect(await lake.free()).toBeLessThan(4 * 1024 * 1024);
  } finally {
    execFileSync("umount", [small]);
  }
});

describe("a second key", () => {
  const copied = async (): Promise<Buffer> => {
    const lake = await openLake();
    const to = someKey("a/b.csv");
    const from = to.replace(/^raw/, "quarantine");
    await lake.publish(await lake.stage(chunked(Buffer.from("bytes"))), from, {});
    calls = [];
    await lake.copy(from, to);
    await lake.remove(from);
    expect(await inStaging()).toEqual([]);
    return Buffer.concat((await (await lake.read(to))?.toArray()) ?? []);
  };

  test("is durable before it counts: the file, its folders, the rename, its parent", async () => {
    expect(await copied()).toEqual(Buffer.from("bytes"));
    expectOrder(
      /^link quarantine\//,
      /^sync \.staging\/.*b\.csv$/,
      /^sync \.staging\/.*\/a$/,
      /^rename \.staging\/.* raw\//,
      /^sync raw\/client=demo\/source=pos\/date=2026-01-02$/,
    );
  });

  test("is a copy where the file system knows no links", async () => {
    before = (call) => {
      if (call.startsWith("link ")) throw fault("EPERM");
    };
    expect(await copied()).toEqual(Buffer.from("bytes"));
    expectOrder(/^link /, /^sync \.staging\/.*b\.csv$/, /^rename /);
  });

  test.for([/^link /, /^sync \.staging\/.*b\.csv$/, /^rename .* raw/, /^sync raw\/.*date=2026-01-02$/])(
    "that fails at %s is not there, and the first one is",
    async (where) => {
      const lake = await openLake();
      const to = someKey("a/b.csv");
      const from = to.replace(/^raw/, "quarantine");
      await lake.publish(await lake.stage(chunked(Buffer.from("bytes"))), from, {});
      before = (call) => {
        if (where.test(call)) throw fault("EIO");
      };
      await expect(lake.copy(from, to)).rejects.toMatchObject({ code: "lake-unavailable" });
      before = () => {};
      expect(await lake.read(to)).toBeUndefined();
      expect(Buffer.concat((await (await lake.read(from))?.toArray()) ?? [])).toEqual(Buffer.from("bytes"));
      await lake.copy(from, to);
      expect(await inStaging()).toEqual([]);
    },
  );
});
