import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openDirectoryLake } from "./directory.ts";
import { lakeContract } from "./lake.contract.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const folders: string[] = [];
const freshRoot = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), "tributary-lake-"));
  folders.push(root);
  return root;
};
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

lakeContract("directory", async () => {
  const root = await freshRoot();
  const reopen = () => openDirectoryLake({ root, site });
  const lake = await reopen();
  return {
    lake,
    reopen,
    leftovers: async () => {
      await lake.check();
      return (await readdir(join(root, ".staging"), { recursive: true })).filter((name) =>
        /\/\d+$/.test(name),
      ).length;
    },
  };
});

describe("a directory lake", () => {
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

  test("a root that vanished is not healthy", async () => {
    const root = await freshRoot();
    const lake = await openDirectoryLake({ root, site });
    await rm(join(root, ".tributary.json"));
    await expect(lake.check()).rejects.toMatchObject({ code: "lake-unavailable" });
  });
});
