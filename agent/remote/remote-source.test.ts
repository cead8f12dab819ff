import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Found, Source } from "../source/source.ts";
import { type FakePlace, fakePlace, fakeRemote } from "./fake-remote.ts";
import { remoteContract } from "./remote.contract.ts";
import { remoteSource } from "./remote-source.ts";

remoteContract("in memory", async () => {
  const place = fakePlace();
  return {
    connect: async () => fakeRemote(place),
    root: "",
    write: async (path, bytes) => place.put(path, bytes),
    remove: async (path) => void place.files.delete(path.toString("latin1")),
    paths: async () => [...place.files.keys()].map((name) => Buffer.from(name, "latin1").toString()),
    async away() {
      place.away = "the place is away, and comes back";
      return async () => {
        place.away = undefined;
      };
    },
    folders: true,
    anyBytes: true,
    close: async () => undefined,
  };
});

describe("a source of a remote", () => {
  let folder: string;
  let place: FakePlace;
  let source: Source;
  let now: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "remote-"));
    now = 0;
    place = fakePlace();
    source = remoteSource({
      name: "erp",
      remote: fakeRemote(place),
      root: "",
      include: [],
      exclude: ["**/*.tmp", "old"],
      ignored: [Buffer.from("done")],
      folder,
      now: () => now,
    });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  async function listed(at = ""): Promise<{ found: Found[]; listing: Awaited<ReturnType<Source["list"]>> }> {
    const found: Found[] = [];
    const listing = await source.list(Buffer.from(at), (some) => void found.push(...some));
    return { found, listing };
  }
  const told = (found: readonly Found[]): string[] =>
    found.map((one) => ("reason" in one ? `${one.path}: ${one.reason}` : String(one.path)));

  test("lists in the order of bytes what its rules take, and says why it leaves out the rest", async () => {
    for (const name of ["b.csv", "a.csv", "x.tmp", "old/1", "done/2", "in/3", "B.csv"]) place.put(name, "1");
    const { found, listing } = await listed();
    expect(told(found)).toEqual([
      "B.csv",
      "a.csv",
      "b.csv",
      "done: where after: moves files to",
      'old: excluded by "old"',
      'x.tmp: excluded by "**/*.tmp"',
    ]);
    expect(listing).toMatchObject({ complete: true, folders: [Buffer.from("in")] });
  });

  test("a place that is away is asked once, and then left alone for a while; the listing says nothing", async () => {
    place.put("a", "1");
    place.away = "erp.example.com does not answer";
    expect((await listed()).listing).toEqual({ folder: Buffer.alloc(0), folders: [], complete: false });
    place.away = undefined;
    expect(await source.health()).toEqual({
      healthy: false,
      code: "source-unreachable",
      reason: "erp.example.com does not answer",
    });
    expect(await source.open(Buffer.from("a"))).toEqual({
      kind: "away",
      reason: "erp.example.com does not answer",
    });
    now += 5_001;
    expect(await source.health()).toEqual({ healthy: true, rootId: "fake://place" });
  });

  test("one that stays away is asked more and more rarely, at most once a minute", async () => {
    place.away = "away";
    const asked: number[] = [];
    for (let second = 0; second < 400; second += 1) {
      now = second * 1000;
      place.away = `away, asked at ${second}`;
      const health = await source.health();
      if (!health.healthy && health.reason === place.away) asked.push(second);
    }
    expect(asked.slice(0, 6)).toEqual([0, 5, 15, 35, 75, 135]);
  });

  test("a folder that may not be listed, and one that is gone", async () => {
    place.put("closed/x", "1");
    place.denied = "closed";
    expect((await listed("closed")).listing).toMatchObject({
      complete: false,
      unlisted: { code: "folder-unreadable", reason: "it cannot be listed: permission denied" },
    });
    expect((await listed("nowhere")).listing).toMatchObject({ complete: false, vanished: true });
  });

  async function read(path: string): Promise<Buffer> {
    const opened = await source.open(Buffer.from(path));
    if (opened.kind !== "open") throw new Error(opened.kind);
    await using file = opened.file;
    const bytes = Buffer.alloc(file.state.size);
    for (let at = 0; at < bytes.length; ) {
      const got = await file.read(bytes.subarray(at, at + 70_000), at);
      if (got === 0) throw new Error("ended early");
      at += got;
    }
    await file.recheck();
    return bytes;
  }

  test("what is read is what is there", async () => {
    const bytes = Buffer.alloc(1_234_567, "abcdefg");
    place.put("big", bytes);
    expect((await read("big")).equals(bytes)).toBe(true);
  });

  test.for([
    ["fewer", 10, /says that it has 10 bytes, and gave only 5/],
    ["more", 3, /says that it has 3 bytes, and gives more/],
  ] as const)("a server that gives %s bytes than it says is not believed", async ([, size, words]) => {
    place.put("lie", "12345", { size });
    await expect(read("lie")).rejects.toThrow(words);
  });

  test("a file that is changed while it is read ends, and is another one", async () => {
    place.put("moving", Buffer.alloc(500_000));
    place.onPiece = (_, at) => {
      if (at === 200_000) place.put("moving", Buffer.alloc(100_000));
    };
    const opened = await source.open(Buffer.from("moving"));
    if (opened.kind !== "open") throw new Error(opened.kind);
    await using file = opened.file;
    const bytes = Buffer.alloc(500_000);
    for (let at = 0; at < 500_000; at += await file.read(bytes.subarray(at), at));
    expect((await file.recheck())?.size).toBe(100_000);
  });

  test("a place that goes away in the middle of a file is the source's trouble, not the file's", async () => {
    place.put("cut", Buffer.alloc(500_000));
    place.onPiece = (_, at) => {
      if (at === 200_000) place.away = "the line was cut";
    };
    await expect(read("cut")).rejects.toMatchObject({
      code: "source-unreachable",
      message: "the line was cut",
    });
  });
});
