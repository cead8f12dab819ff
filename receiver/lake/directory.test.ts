import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { CLAIM } from "./claim.ts";
import { openDirectoryLake } from "./directory.ts";
import { chunked, type LakeUnderTest, lakeContract, someKey } from "./lake.contract.ts";
import { unfinishedContract } from "./unfinished.contract.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const folders: string[] = [];
const freshRoot = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), "tributary-lake-"));
  folders.push(root);
  return root;
};
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function fresh(): Promise<LakeUnderTest> {
  const root = await freshRoot();
  const reopen = () => openDirectoryLake({ root, site });
  const lake = await reopen();
  return {
    lake,
    reopen,
    async setClaim(text) {
      const file = join(root, CLAIM);
      const there = await readFile(file, "utf8").catch(() => "");
      if (text === undefined) await rm(file);
      else await writeFile(file, text);
      return there;
    },
    leftovers: async () => {
      await lake.check();
      return (await readdir(join(root, ".staging"), { recursive: true })).filter((name) =>
        /\/\d+$|^unfinished\/.+\/./.test(name),
      ).length;
    },
  };
}

lakeContract("directory", fresh);
unfinishedContract("directory", fresh);

describe("a directory lake", () => {
  test("of two receivers that share it, none takes over what the other has under way", async () => {
    const root = await freshRoot();
    const [one, other] = [
      await openDirectoryLake({ root, site, receiver: "/data/one" }),
      await openDirectoryLake({ root, site, receiver: "/data/other" }),
    ];
    const file = one.unfinished(() => "of one");
    await file.write(Buffer.alloc(600_000, 1), 0);
    await file.keep();
    expect(await Array.fromAsync(other.kept())).toEqual([]);
    expect((await Array.fromAsync(one.kept())).map(({ note }) => note)).toEqual(["of one"]);
    expect((await file.finish()).size).toBe(600_000);
  });

  test("refuses a second host, and another site, and says what to do", async () => {
    const root = await freshRoot();
    await openDirectoryLake({ root, site, host: "one" });
    await openDirectoryLake({ root, site, host: "one" });
    await expect(openDirectoryLake({ root, site, host: "two" })).rejects.toThrow(
      /belongs to the host one, this is two/,
    );
    await expect(openDirectoryLake({ root, site: "other", host: "one" })).rejects.toThrow(
      /belongs to the site/,
    );
  });

  test("the ledger's lake is opened, and no other; nothing is begun where it is not", async () => {
    const root = join(await freshRoot(), "lake");
    const { id } = await openDirectoryLake({ root, site });
    expect((await openDirectoryLake({ root, site, lake: id, begun: true })).id).toBe(id);
    await expect(openDirectoryLake({ root, site, lake: "another" })).rejects.toThrow(
      /but this ledger belongs to the lake another/,
    );
    await rename(root, `${root}.away`);
    for (const makes of [async () => {}, () => mkdir(root)]) {
      await makes();
      for (const known of [{ lake: id }, { begun: true }]) {
        const opening = openDirectoryLake({ root, site, ...known });
        await expect(opening).rejects.toThrow(/there is no lake in .*is the disk mounted there/);
      }
    }
    expect(await readdir(root)).toEqual([]);
    // What the message says to do about a lake that was moved here without its claim.
    await writeFile(join(root, ".tributary.json"), JSON.stringify({ lake: id }));
    expect((await openDirectoryLake({ root, site, lake: id, host: "new" })).id).toBe(id);
    await expect(openDirectoryLake({ root, site, lake: id, host: "old" })).rejects.toThrow(/the host new/);
  });

  test("a claim of before gets a lake id, and keeps it", async () => {
    const root = await freshRoot();
    await writeFile(join(root, ".tributary.json"), JSON.stringify({ host: "one", site }));
    const { id } = await openDirectoryLake({ root, site, host: "one", begun: true });
    expect(JSON.parse(await readFile(join(root, ".tributary.json"), "utf8"))).toEqual({
      ...{ host: "one", site, lake: id },
    });
    await rm(join(root, ".tributary.json"));
    await writeFile(join(root, ".tributary.json"), JSON.stringify({ host: "one", site }));
    const opening = openDirectoryLake({ root, site, host: "one", lake: id });
    await expect(opening).rejects.toThrow(/holds a lake without an id/);
  });

  test("whose disk goes away at run time takes nothing, says so, and goes on when it is back", async () => {
    const root = join(await freshRoot(), "lake");
    const lake = await openDirectoryLake({ root, site });
    const put = async (bytes: Buffer): Promise<string> => {
      const key = someKey();
      await lake.publish(await lake.stage(chunked(bytes)), key, {});
      return key;
    };
    const before = await put(Buffer.from("before"));
    const part = Buffer.alloc(1000);
    const upload = { key: someKey(), handle: await lake.begin(someKey(), {}), size: 1000, partSize: 1000 };
    await rename(root, `${root}.away`);
    // Nothing there, an empty mount point, and one that another process has begun to fill.
    for (const makes of [async () => {}, () => mkdir(root), () => mkdir(join(root, "raw"))]) {
      await makes();
      const unavailable = { code: "lake-unavailable", retryAfter: 5 };
      await expect(put(Buffer.from("small"))).rejects.toMatchObject(unavailable);
      await expect(put(Buffer.alloc(2 ** 20))).rejects.toMatchObject({ code: "lake-unavailable" });
      await expect(lake.begin(someKey(), {})).rejects.toMatchObject({ code: "lake-unavailable" });
      await expect(lake.stagePart(upload, 1, chunked(part))).rejects.toMatchObject({
        code: "lake-unavailable",
      });
      await expect(lake.read(before)).rejects.toMatchObject(unavailable);
      await expect(Array.fromAsync(lake.list("raw/"))).rejects.toMatchObject(unavailable);
      await expect(Array.fromAsync(lake.open())).rejects.toMatchObject(unavailable);
      await expect(lake.check()).rejects.toMatchObject({ code: "lake-unavailable" });
    }
    expect(await readdir(root, { recursive: true })).toEqual(["raw"]);
    await rm(root, { recursive: true });
    await rename(`${root}.away`, root);
    await lake.read(await put(Buffer.from("after"))).then((stream) => stream?.destroy());
    // As after a remount: the same lake in a folder of another inode.
    await cp(root, `${root}.copy`, { recursive: true });
    await rm(root, { recursive: true });
    await rename(`${root}.copy`, root);
    await lake.read(await put(Buffer.from("again"))).then((stream) => stream?.destroy());
    await lake.check();
  });

  test("what lies among its uploads and is none is passed over", async () => {
    const root = await freshRoot();
    const lake = await openDirectoryLake({ root, site });
    const handle = await lake.begin(someKey(), {});
    await writeFile(join(root, ".staging", "uploads", ".DS_Store"), "?");
    expect((await Array.fromAsync(lake.open())).map((open) => open.handle)).toEqual([handle]);
  });

  test("a root that vanished is not healthy", async () => {
    const root = await freshRoot();
    const lake = await openDirectoryLake({ root, site });
    await rm(join(root, ".tributary.json"));
    await expect(lake.check()).rejects.toMatchObject({ code: "lake-unavailable" });
  });
});
