import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { FreshBytes } from "../seal/fresh.ts";
import { Lanes } from "../seal/lanes.ts";
import { PartHasher } from "../seal/part-hasher.ts";
import { Spool } from "../seal/spool.ts";
import { type Disk, realDisk } from "../source/disk.ts";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import { Batch } from "./batch.ts";
import { Sealer } from "./sealer.ts";

function folderSourceOf(path: string, disk: Disk = realDisk): Source {
  const rules = { include: [], exclude: [], ignored: [] };
  return folderSource({ name: "pos", path, share: false, crossMounts: false, ...rules }, disk);
}

describe("from sighting to parcel", () => {
  let home: string;
  let queue: SqliteQueue;
  let sealer: Sealer;
  let now = 0;
  let wall = 0;
  let roomAgain = 0;
  const facts: Fact[] = [];
  /** To read a file takes a minute. */
  const slow: Disk = {
    ...realDisk,
    async open(path) {
      wall += 60_000;
      return await realDisk.open(path);
    },
  };
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "sealer-"));
    queue = openQueue(join(home, "queue.sqlite"));
    [now, wall, roomAgain, facts.length] = [0, 0, 0, 0];
    const intake = queue.intake("acme", "pos");
    sealer = new Sealer({
      source: folderSourceOf(home, slow),
      intake,
      book: queue.book("acme", "pos"),
      batch: new Batch(intake, { full: () => undefined, roomAgain: () => undefined }),
      lanes: new Lanes(),
      partHasher: new PartHasher(),
      fresh: new FreshBytes(),
      fetches: undefined,
      spool: new Spool(join(home, "spool"), 1e9, new Map()),
      copy: false,
      rules: () => ({ settleMs: 60_000, snapshotMs: undefined, restlessMs: 60_000 }),
      report: (fact) => facts.push(fact),
      clocks: { wall: () => wall, steady: () => now, corrected: Date.now },
      makeUuid: uuidv7,
      lookAgain: () => undefined,
      askRoot: () => undefined,
      most: 2,
      roomAgain: () => {
        roomAgain += 1;
      },
    });
  });
  afterEach(() => {
    sealer.stop();
    queue.close();
    rmSync(home, { recursive: true, force: true });
  });
  const sight = (name: string, size: number): void => {
    const state: FileState = { size, mtimeNs: 1n, ctimeNs: 1n, fileId: 1n };
    sealer.sighted(Buffer.from(name), state);
  };

  test("what is too much is turned away, and asked for when there is room", () => {
    for (const name of ["a", "b", "c"]) sight(name, 1);
    expect([sealer.full, sealer.settling, roomAgain]).toEqual([true, 2, 0]);
    // One that is waited for already takes no more room.
    sight("b", 2);
    sealer.drop(Buffer.from("a"));
    expect([sealer.full, roomAgain]).toEqual([false, 1]);
    sight("c", 1);
    sealer.drop(Buffer.from("b"));
    expect([sealer.settling, roomAgain]).toEqual([1, 1]);
  });

  test("a file is known as of the beginning of its reading, however long that takes", async () => {
    const path = Buffer.from("a");
    writeFileSync(join(home, "a"), "1");
    const look = await folderSourceOf(home).look(path);
    if (look.kind !== "file") throw new Error(look.kind);
    sealer.sighted(path, look.state);
    [now, wall] = [60_000, 5_000];
    sealer.sighted(path, look.state);
    await expect.poll(() => queue.intake("acme", "pos").seen(path)?.sealedAt).toBe(5_000);
  });

  test("files that never rest take no room from those that do", async () => {
    for (const name of ["log 1", "log 2"]) sight(name, 1);
    const room = sealer.room();
    now = 60_000;
    for (const name of ["log 1", "log 2"]) sight(name, 2);
    await room;
    expect(facts).toMatchObject([{ code: "file-restless" }, { code: "file-restless" }]);
    for (const name of ["a", "b", "c"]) sight(name, 1);
    expect([sealer.full, sealer.settling]).toEqual([true, 4]);
    // Nor are more of them remembered than of the others.
    now = 120_000;
    for (const name of ["log 1", "a", "b"]) sight(name, 3);
    expect([sealer.full, sealer.settling]).toEqual([false, 2]);
  });
});
