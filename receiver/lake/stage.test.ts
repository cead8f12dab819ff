import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realDisk } from "./disk.ts";
import { chunked } from "./lake.contract.ts";
import { openStaging } from "./stage.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-stage-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.for([
  [300_000, 1],
  [3_000_000, 1500],
  [5_000_000, 3_000_000],
] as const)("%d bytes in chunks of %d are spilled as they came", async ([size, chunk]) => {
  const bytes = randomBytes(size);
  const staging = openStaging(folder, realDisk);
  const staged = await staging.stage(chunked(bytes, chunk));
  expect(staged).toMatchObject({ size, sha256: createHash("sha256").update(bytes).digest("hex") });
  const content = staging.consume(staged);
  if (content.kind !== "file") throw new Error("expected a file");
  expect((await readFile(content.file)).equals(bytes)).toBe(true);
});

test("short writes are gone on with", async () => {
  const bytes = randomBytes(3_000_000);
  const staging = openStaging(folder, {
    ...realDisk,
    open: async (...args) => {
      const handle = await realDisk.open(...args);
      const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<unknown>;
      handle.write = ((chunk: Uint8Array, offset: number, length: number, position: number) =>
        write(chunk, offset, Math.max(1, length >> 1), position)) as never;
      return handle;
    },
  });
  const content = staging.consume(await staging.stage(chunked(bytes)));
  if (content.kind !== "file") throw new Error("expected a file");
  expect((await readFile(content.file)).equals(bytes)).toBe(true);
});

test("the sweep removes what a dead process left before we started, and nothing else", async () => {
  const dead = spawnSync("true").pid;
  const old = new Date(Date.now() - 24 * 3600 * 1000);
  const make = async (name: string, at?: Date): Promise<void> => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "1"), "x");
    if (at !== undefined) await utimes(join(folder, name), at, at);
  };
  await make(`${dead}-0123456789ab`, old);
  await make(`${process.pid}-0123456789ab`, old);
  await make(`${process.ppid}-0123456789ab`, old);
  await make(`${dead}-aaaaaaaaaaaa`);
  await make("somebody's", old);
  const staging = openStaging(folder, realDisk);
  const own = (await staging.name()).split("/").at(-2) as string;
  expect(await staging.sweep()).toBe(2);
  expect((await readdir(folder)).toSorted()).toEqual(
    [`${process.ppid}-0123456789ab`, `${dead}-aaaaaaaaaaaa`, own, "somebody's"].toSorted(),
  );
});
