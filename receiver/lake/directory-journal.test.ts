/** One sync for many: what is on the disk when, what a torn or failing journal means, and what a replay puts back. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openDirectoryLake } from "./directory.ts";
import { Journal, journalFolder, recordsOf, type Small } from "./directory-journal.ts";
import { publishSmall } from "./directory-publish.ts";
import { isLeft, type Owner, ownerName, replay, replayLeft, thisOwner } from "./directory-replay.ts";
import { openTree } from "./directory-tree.ts";
import { type Disk, realDisk } from "./disk.ts";
import { someKey } from "./lake.contract.ts";
import { guardRoot } from "./root-guard.ts";
import { openStaging } from "./stage.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-journal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let root: string;
let calls: string[];
let before: (call: string) => void;
let now: number;

beforeEach(() => {
  root = mkdtempSync(join(folder, "lake-"));
  calls = [];
  before = () => {};
  now = 0;
});

const fault = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

function watched(): Disk {
  const tell = (call: string): void => {
    calls.push(call);
    before(call);
  };
  const name = (path: unknown): string => relative(root, String(path)) || ".";
  const watchHandle = (handle: FileHandle, path: string): FileHandle =>
    new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (["sync", "datasync", "write", "writeFile"].includes(String(property)))
            tell(`${String(property)} ${path}`);
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return {
    ...realDisk,
    open: async (path, flags, mode) => watchHandle(await realDisk.open(path, flags, mode), name(path)),
    rename: async (from, to) => {
      tell(`rename ${name(from)} ${name(to)}`);
      return realDisk.rename(from, to);
    },
  };
}

const OWNER: Owner = { boot: "b00t", space: "42", pid: 999_999_999, began: "1" };

async function ground(owner = ownerName(OWNER)) {
  const disk = watched();
  const guard = await guardRoot(root, async () => true, disk);
  const tree = openTree(guard, disk);
  const staging = openStaging(join(root, ".staging", "bodies"), disk);
  const journal = new Journal(root, owner, disk, guard.require, () => now);
  return { disk, tree, journal, publish: publishSmall(tree, staging.name, disk, journal) };
}

const objects = (count: number, from = 0): Small[] =>
  Array.from({ length: count }, (_, i) => ({
    key: someKey(`f/${from + i}.csv`),
    bytes: Buffer.from(`content ${from + i}`),
  }));
const at = (key: string): string => join(root, key);
const journals = (): string[] => readdirSync(journalFolder(root));

describe("many at once", () => {
  test("the journal is on the disk before any of them has its name; none is synced by itself", async () => {
    const { publish } = await ground();
    const some = objects(20);
    expect(await publish(some)).toEqual(some.map(() => undefined));
    const synced = calls.findIndex((call) => call.startsWith("datasync .staging/journal/"));
    const renamed = calls.flatMap((call, i) => (call.startsWith("rename") ? [i] : []));
    const named = calls.findIndex((call) => call === "sync .staging/journal");
    expect(renamed).toHaveLength(20);
    expect(named).toBeGreaterThanOrEqual(0);
    expect(Math.max(synced, named)).toBeLessThan(Math.min(...renamed));
    expect(
      calls.filter((call) => /^sync .*(\.csv|date=)/.test(call) && calls.indexOf(call) > renamed[0]!),
    ).toEqual([]);
    for (const { key, bytes } of some) expect(readFileSync(at(key))).toEqual(bytes);
  });

  test("a few are synced by themselves, without a journal", async () => {
    const { publish } = await ground();
    await publish(objects(3));
    expect(calls.filter((call) => call.includes("journal"))).toEqual([]);
    expect(calls.filter((call) => /^sync \.staging.*\.csv$/.test(call))).toHaveLength(3);
  });

  test.for(["write", "datasync", "sync .staging/journal"])(
    "a journal that fails at %s: none of them is in the lake, and the next try takes another file",
    async (where) => {
      const { publish } = await ground();
      let fired = 0;
      before = (call) => {
        if (call.startsWith(where) && call.includes(".staging/journal") && fired++ === 0) throw fault("EIO");
      };
      const some = objects(10);
      await expect(publish(some)).rejects.toMatchObject({ code: "lake-unavailable" });
      expect(fired).toBeGreaterThan(0);
      expect(calls.filter((call) => call.startsWith("rename"))).toEqual([]);
      expect(await publish(some)).toEqual(some.map(() => undefined));
      for (const { key, bytes } of some) expect(readFileSync(at(key))).toEqual(bytes);
      expect(journals().length).toBe(2);
    },
  );

  test("one that cannot be put in its place fails alone", async () => {
    const { publish } = await ground();
    const some = objects(10);
    before = (call) => {
      if (call.startsWith("rename") && call.includes(dirname(dirname(some[4]!.key)).split("/").at(-1) ?? "?"))
        throw fault("EIO");
    };
    const results = await publish(some);
    expect(results.map((result) => result === undefined)).toEqual(some.map((_, i) => i !== 4));
  });
});

describe("records", () => {
  test("come back as they were appended, up to the first that is not whole", async () => {
    const { journal } = await ground();
    for (const count of [9, 1, 30]) await journal.append(objects(count, count * 100));
    const [file] = journals().map((name) => join(journalFolder(root), name));
    const bytes = readFileSync(file as string);
    expect([...recordsOf(bytes)].map((record) => record.length)).toEqual([9, 1, 30]);
    const first = [...recordsOf(bytes)][0]!;
    expect(first.map(({ key }) => key)[0]).toContain("f/900.csv");
    expect(Buffer.from(first[8]!.bytes).toString()).toBe("content 908");
    for (let length = 0; length <= bytes.length; length += 7) {
      const records = [...recordsOf(bytes.subarray(0, length))];
      expect(records.length).toBeLessThanOrEqual(length === bytes.length ? 3 : 2);
    }
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 40]! ^= 1;
    expect([...recordsOf(flipped)]).toHaveLength(2);
    expect([...recordsOf(Buffer.from("no journal\n"))]).toEqual([]);
  });

  test("a journal is closed after half a minute, and goes when it is settled", async () => {
    const { journal } = await ground();
    await journal.append(objects(9));
    expect(await journal.due()).toEqual([]);
    now = 30_000;
    const due = await journal.due();
    expect(due).toHaveLength(1);
    await journal.append(objects(9, 50));
    expect(await journal.due()).toEqual(due);
    await journal.settled(due);
    expect(journals()).toHaveLength(1);
    expect(await journal.due()).toEqual([]);
  });
});

describe("a replay", () => {
  test("puts back what is missing, short or altered, leaves what is whole, and takes the journal away", async () => {
    const { publish, tree, disk } = await ground();
    const some = objects(10);
    await publish(some);
    rmSync(dirname(at(some[0]!.key)), { recursive: true });
    truncateSync(at(some[1]!.key), 0);
    writeFileSync(at(some[2]!.key), "CONTENT 2");
    const own = { ...OWNER, pid: process.pid, began: "x" };
    expect(await replayLeft(tree, disk, own, Date.now())).toBe(3);
    for (const { key, bytes } of some) expect(readFileSync(at(key))).toEqual(bytes);
    expect(journals()).toEqual([]);
    expect(await replayLeft(tree, disk, own, Date.now())).toBe(0);
  });

  test("believes nothing that seems to be there, where the system could not write it", async () => {
    const { publish, tree, disk } = await ground();
    const some = objects(10);
    await publish(some);
    const files = journals().map((name) => join(journalFolder(root), name));
    expect(await replay(tree, disk, files, true)).toBe(10);
    for (const { key } of some)
      expect(calls.some((call) => call.startsWith("rename") && call.endsWith(key))).toBe(true);
  });

  test("leaves a living receiver's journal alone, and takes one of another boot, of a process that is gone, or that nobody touched", () => {
    const own = thisOwner();
    if (own === undefined) return;
    const living = `${ownerName(own)}-3.1`;
    const later = Date.now();
    expect(isLeft(living, later, own, later)).toBe(false);
    expect(isLeft(`${ownerName({ ...own, boot: "another" })}-3.1`, later, own, later)).toBe(true);
    expect(isLeft(`${ownerName({ ...own, began: "1" })}-3.1`, later, own, later)).toBe(true);
    expect(isLeft(`${ownerName({ ...own, pid: 999_999_999 })}-3.1`, later, own, later)).toBe(true);
    // In another space of process ids (a container) nobody can tell; the host runs, so nothing is lost.
    expect(isLeft(`${ownerName({ ...own, space: "1", pid: 999_999_999 })}-3.1`, later, own, later)).toBe(
      false,
    );
    expect(isLeft(living, later - 700_000, own, later)).toBe(true);
  });

  test("happens when a lake is opened, and is told", async () => {
    const site = "0198a000-0000-7000-8000-000000000001";
    const first = await openDirectoryLake({ root, site });
    const some = objects(10);
    mkdirSync(journalFolder(root), { recursive: true });
    const journal = new Journal(root, ownerName(OWNER), realDisk, async () => {});
    await journal.append(some);
    const again = await openDirectoryLake({ root, site, lake: first.id });
    for (const { key, bytes } of some) {
      const chunks: Buffer[] = [];
      for await (const chunk of (await again.read(key))!) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks)).toEqual(bytes);
    }
    expect((await again.probe()).join("\n")).toContain("restored 10 objects");
  });

  test("two threads and a second process: a whole receiver's journal is settled or left, never torn by another", async () => {
    const site = "0198a000-0000-7000-8000-000000000001";
    const lake = await openDirectoryLake({ root, site });
    const some = objects(300);
    await Promise.all(
      some.map(async ({ key, bytes }) => await lake.publish(await lake.stage(Buffer.from(bytes)), key, {})),
    );
    const living = journals();
    expect(living.length).toBeGreaterThan(0);
    await openDirectoryLake({ root, site, lake: lake.id });
    expect(journals()).toEqual(living);
    for (const name of living) utimesSync(join(journalFolder(root), name), 1, 1);
    await openDirectoryLake({ root, site, lake: lake.id });
    expect(journals()).toEqual([]);
    for (const { key, bytes } of some) expect(readFileSync(at(key))).toEqual(bytes);
  });
});
