import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  type BigIntStats,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { agentSettings, type FolderSettings } from "../config.ts";
import type { Fact } from "../facts.ts";
import type { Intake, ParcelEnd, VersionParcel } from "../queue/queue.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { FreshBytes } from "../seal/fresh.ts";
import { PartHasher } from "../seal/part-hasher.ts";
import { Spool } from "../seal/spool.ts";
import { afterRule } from "../source/after.ts";
import { type Disk, realDisk } from "../source/disk.ts";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import { acceptRoot, type Capture, startCapture } from "./capture.ts";
import { TAKEN_BY_US } from "./removals.ts";
import { captureRules } from "./rules.ts";

const DELIVERED: ParcelEnd = {
  kind: "delivered",
  receipt: "jws",
  versionId: "v",
  status: "stored",
  receivedAt: "2026-01-01T00:00:00.000Z",
  at: 1,
};
const OWN = ".tributary-0190a8c0-0000-7000-8000-000000000001~";
const SUPERSEDED: ParcelEnd = { kind: "superseded", detail: "changed", at: 1 };

describe("capture of a folder", () => {
  let home: string;
  let root: string;
  let queue: SqliteQueue;
  let spool: Spool;
  let facts: Fact[];
  const running: Capture[] = [];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "capture-"));
    root = join(home, "root");
    mkdirSync(root);
    queue = openQueue(join(home, "queue.sqlite"));
    spool = new Spool(join(home, "spool"), 1e9, new Map());
    facts = [];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((capture) => capture.stop(10_000)));
    queue.close();
    rmSync(home, { recursive: true, force: true });
  });

  function start(
    more: Partial<FolderSettings> = {},
    disk?: Disk,
    intake?: Intake,
    most = 10_000,
    as: (source: Source) => Source = (source) => source,
  ): Capture {
    const [source] = agentSettings.parse({ sources: [{ name: "pos", path: root, settle: "50ms" }] }).sources;
    const settings = { ...(source as FolderSettings), ...more };
    const capture = startCapture({
      source: as(folderSource({ ...settings, ignored: [join(root, "done")] }, disk)),
      rules: captureRules(settings, afterRule(settings.after, settings.path)),
      intake: intake ?? queue.intake("acme", "pos"),
      book: queue.book("acme", "pos"),
      spool,
      partHasher: new PartHasher(),
      fresh: new FreshBytes(),
      fetches: queue.fetches("acme", "pos"),
      onEnd: queue.onEnd,
      report: (fact) => facts.push(fact),
      corrected: Date.now,
      most,
    });
    running.push(capture);
    return capture;
  }
  const write = (name: string, text: string): void => {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  const seen = (name: string) => queue.intake("acme", "pos").seen(Buffer.from(name));
  const waiting = (): string[] =>
    queue.status.waiting(1000).map((p) => `${p.kind === "removal" ? "-" : ""}${p.path}`);
  const sent: string[] = [];
  /** A courier that delivers everything. */
  function deliver(how: ParcelEnd = DELIVERED): string[] {
    const taken = queue.outbox.take(1000, Date.now());
    for (const { parcel } of taken) queue.outbox.end(parcel.captureId, how);
    const names = taken.map(({ parcel }) => `${parcel.kind === "removal" ? "-" : ""}${parcel.path}`);
    sent.push(...names);
    return names;
  }
  const until = <T>(what: () => T): Promise<T> => vi.waitFor(what, { timeout: 10_000, interval: 20 });
  /** A disk on which nothing ever changes its times. */
  function timesOf(ms: number): Disk {
    const at = BigInt(ms) * 1_000_000n;
    const frozen = (stats: BigIntStats): BigIntStats => Object.assign(stats, { mtimeNs: at, ctimeNs: at });
    return {
      ...realDisk,
      lstat: async (path) => frozen(await realDisk.lstat(path)),
      lstatNow: (path) => frozen(realDisk.lstatNow(path)),
      async open(path) {
        const handle = await realDisk.open(path);
        const stat = handle.stat.bind(handle);
        return Object.assign(handle, { stat: async () => frozen(await stat({ bigint: true })) });
      },
    };
  }
  /** A share that numbers its files anew at each look (CIFS with `noserverino`, some FUSE file systems). */
  function renumbering(): Disk {
    let last = 1_000_000n;
    const anew = (stats: BigIntStats): BigIntStats => Object.assign(stats, { ino: ++last });
    return {
      ...realDisk,
      stat: async (path) => anew(await realDisk.stat(path)),
      lstat: async (path) => anew(await realDisk.lstat(path)),
      lstatNow: (path) => anew(realDisk.lstatNow(path)),
      async open(path) {
        const handle = await realDisk.open(path);
        const stat = handle.stat.bind(handle);
        return Object.assign(handle, { stat: async () => anew(await stat({ bigint: true })) });
      },
    };
  }
  const has = (kind: Fact["kind"]): boolean => facts.some((fact) => fact.kind === kind);

  test("what was there, what is dropped, and what changes becomes parcels", async () => {
    write("old.csv", "1");
    const capture = start();
    await until(() => expect(waiting()).toEqual(["old.csv"]));
    write("new/deep/er.csv", "2");
    await until(() => expect(waiting()).toEqual(["old.csv", "new/deep/er.csv"]));
    deliver();
    write("old.csv", "changed");
    await until(() => expect(waiting()).toEqual(["old.csv"]));
    await capture.scanNow();
    expect(capture.state()).toMatchObject({ reachable: true, files: 2, problems: 0 });
  });

  test("a scan that is asked for while a long one runs does not end the scans", async () => {
    let slow = true;
    start({ rescan: 300 }, undefined, undefined, undefined, (source) => ({
      ...source,
      // The limit of watches is reached while the first scan goes on, and nothing gives hints afterwards.
      async watch(hint) {
        setTimeout(() => hint(undefined), 100);
        return async () => undefined;
      },
      async list(...asked) {
        if (slow) {
          slow = false;
          await new Promise((resolve) => setTimeout(resolve, 3_000));
        }
        return await source.list(...asked);
      },
    }));
    await until(() => expect(facts.filter(({ kind }) => kind === "ScanFinished").length).toBeGreaterThan(2));
    write("late", "x");
    await until(() => expect(waiting()).toEqual(["late"]));
  });

  test("a root that was away is watched anew when it is back: the old watches may be of what was unmounted", async () => {
    const calls: string[] = [];
    const capture = start({ rescan: 3_600_000 }, undefined, undefined, undefined, (source) => ({
      ...source,
      async watch(...asked) {
        calls.push("watch");
        const close = await source.watch(...asked);
        return async () => {
          calls.push("close");
          await close();
        };
      },
    }));
    await until(() => expect(has("ScanFinished")).toBe(true));
    renameSync(root, join(home, "away"));
    await capture.health();
    renameSync(join(home, "away"), root);
    await capture.health();
    await until(() => expect(calls).toEqual(["watch", "close", "watch"]));
    write("a", "1");
    await until(() => expect(waiting()).toEqual(["a"]));
  });

  test("other times and the same bytes are no new parcel", async () => {
    write("a", "1");
    const capture = start();
    await until(() => expect(deliver()).toEqual(["a"]));
    utimesSync(join(root, "a"), 5, 5);
    await until(() => expect(seen("a")?.state.mtimeNs).toBe(5_000_000_000n));
    await capture.scanNow();
    expect(waiting()).toEqual([]);
  });

  test("a file written again and again is sealed when it rests, once", async () => {
    start({ settle: 300 });
    for (let i = 0; i < 8; i += 1) {
      write("log", "x".repeat(i + 1));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await until(() => expect(waiting()).toEqual(["log"]));
    expect(queue.outbox.take(1, 0)).toMatchObject([{ parcel: { state: { size: 8 } } }]);
  });

  test("a file that never rests is reported, and captured as a snapshot when the source says so", async () => {
    start({ settle: 200, snapshotGrowing: 500 });
    let size = 0;
    const timer = setInterval(() => write("log", "x".repeat(++size)), 20);
    await until(() => expect(waiting().length).toBeGreaterThan(0));
    clearInterval(timer);
    const parcel = queue.outbox.take(1, 0)[0]?.parcel as VersionParcel;
    expect(parcel.spooled).toBeDefined();
    expect(facts).toContainEqual(expect.objectContaining({ kind: "ParcelSealed", snapshot: true }));
    await until(() => expect(seen("log")?.state.size).toBe(size));
  });

  test("superseded is sealed anew, even when the old bytes are back", async () => {
    write("a", "1");
    start();
    await until(() => expect(deliver(SUPERSEDED)).toEqual(["a"]));
    await until(() => expect(waiting()).toEqual(["a"]));
  });

  test("what is locked is visible, is tried again, and holds back nobody else", async () => {
    for (const name of ["locked", "free"]) write(name, name);
    const lockedNow = new Set(["locked"]);
    const disk: Disk = {
      ...realDisk,
      async open(at) {
        if ([...lockedNow].some((name) => at.toString().endsWith(`/${name}`)))
          throw Object.assign(new Error("locked"), { code: "EBUSY" });
        return await realDisk.open(at);
      },
      readNow: () => undefined,
    };
    const capture = start({}, disk);
    await until(() => expect(waiting()).toEqual(["free"]));
    await until(() => expect(capture.state().problems).toBe(1));
    expect(queue.status.problems(9)).toMatchObject([
      { code: "file-unreadable", path: Buffer.from("locked") },
    ]);
    lockedNow.clear();
    await until(() => expect(waiting()).toEqual(["free", "locked"]));
    expect(capture.state().problems).toBe(0);
    expect(has("FileRecovered")).toBe(true);
  });

  test("more unreadable files than are waited for hold back neither a scan nor the others", async () => {
    for (let i = 0; i < 50; i += 1) write(`locked/${i}`, "");
    write("z/free", "1");
    let locked = true;
    const disk: Disk = {
      ...realDisk,
      async open(at) {
        if (locked && at.toString().includes("/locked/"))
          throw Object.assign(new Error("locked"), { code: "EACCES" });
        return await realDisk.open(at);
      },
      readNow: () => undefined,
    };
    const capture = start({}, disk, undefined, 20);
    await until(() => expect(has("ScanFinished")).toBe(true));
    await until(() => expect(waiting()).toEqual(["z/free"]));
    await until(() => expect(capture.state().problems).toBe(50));
    locked = false;
    await capture.scanNow();
    await until(() => expect(waiting()).toHaveLength(51));
    expect(capture.state().problems).toBe(0);
  });

  test("a stop does not wait for a large file to be sealed", async () => {
    write("large", "x");
    let reading = 0;
    const disk: Disk = {
      ...realDisk,
      async open(path) {
        const handle = await realDisk.open(path);
        const stat = handle.stat.bind(handle);
        // A file that takes for ever to read.
        return Object.assign(handle, {
          stat: async () => Object.assign(await stat({ bigint: true }), { size: 2n ** 50n }),
          read: async (into: Buffer) => {
            reading += 1;
            await new Promise((resolve) => setTimeout(resolve, 5));
            return { bytesRead: into.length, buffer: into };
          },
        });
      },
      lstat: async (path) => {
        const stats = await realDisk.lstat(path);
        return path.toString().endsWith("/large") ? Object.assign(stats, { size: 2n ** 50n }) : stats;
      },
      lstatNow: (path) => {
        const stats = realDisk.lstatNow(path);
        return path.toString().endsWith("/large") ? Object.assign(stats, { size: 2n ** 50n }) : stats;
      },
    };
    const capture = start({}, disk);
    await until(() => expect(reading).toBeGreaterThan(0));
    await capture.stop(10_000);
    running.length = 0;
    expect(waiting()).toEqual([]);
  });

  test("with copies every version of a file that is overwritten arrives, though nothing was sent in between", async () => {
    start({ capture: "copy" });
    for (const text of ["one", "two", "three"]) {
      write("a", text);
      await until(() =>
        expect(readdirSync(spool.folder)).toHaveLength(["one", "two", "three"].indexOf(text) + 1),
      );
      await until(() => expect(seen("a")?.state.size).toBe(text.length));
      await until(() => expect(waiting()).toHaveLength(["one", "two", "three"].indexOf(text) + 1));
    }
    const texts: string[] = [];
    for (let i = 0; i < 3; i += 1)
      for (const { parcel } of queue.outbox.take(9, Date.now())) {
        texts.push(readFileSync(spool.pathOf((parcel as VersionParcel).spooled as string), "utf8"));
        queue.outbox.end(parcel.captureId, DELIVERED);
      }
    expect(texts).toEqual(["one", "two", "three"]);
    await until(() => expect(readdirSync(spool.folder)).toEqual([]));
  });

  test("a full spool is visible, waits, and goes on when copies have left", async () => {
    spool = new Spool(join(home, "spool"), 5, new Map());
    write("a", "1234");
    const capture = start({ capture: "copy" });
    await until(() => expect(waiting()).toEqual(["a"]));
    write("b", "1234");
    await until(() => expect(queue.status.problems(9)).toMatchObject([{ code: "spool-full" }]));
    deliver();
    await until(() => expect(waiting()).toEqual(["b"]));
    expect(capture.state().problems).toBe(0);
  });

  test("a spool that is full goes on when its bound is raised, without a restart", async () => {
    spool = new Spool(join(home, "spool"), 5, new Map());
    write("a", "1234");
    start({ capture: "copy" });
    await until(() => expect(waiting()).toEqual(["a"]));
    write("b", "1234");
    await until(() => expect(queue.status.problems(9)).toMatchObject([{ code: "spool-full" }]));
    spool.bound(8);
    await until(() => expect(waiting()).toEqual(["a", "b"]));
  });

  test("while a full spool holds up a scan, hints are looked at all the same, and nothing is left out in the end", async () => {
    for (const name of ["gone", "stays"]) write(name, "1");
    const first = start({ capture: "copy" });
    await until(() => expect(waiting().sort()).toEqual(["gone", "stays"]));
    deliver();
    await first.stop(10_000);
    running.length = 0;
    spool = new Spool(join(home, "spool"), 5, new Map());
    const names = Array.from({ length: 8 }, (_, i) => `new/${i}`);
    for (const name of names) write(name, "1234");
    start({ capture: "copy" }, undefined, undefined, 3);
    await until(() => expect(queue.status.problems(9)).toHaveLength(3));
    rmSync(join(root, "gone"));
    write("also", "1234");
    await until(() => expect(waiting()).toContain("-gone"));
    const left = new Set([...names, "also"]);
    await vi.waitFor(
      () => {
        for (const name of deliver()) left.delete(name);
        expect([...left]).toEqual([]);
      },
      { timeout: 40_000, interval: 20 },
    );
  });

  test("a full disk holds everything back, visibly, and nothing is lost", async () => {
    const real = queue.intake("acme", "pos");
    let full = true;
    const intake: Intake = {
      ...real,
      put(sealings) {
        if (full) throw new ProblemError("disk-full", "no room");
        real.put(sealings);
      },
    };
    write("a", "1");
    const capture = start({}, realDisk, intake);
    await until(() => expect(queue.status.problems(9)).toMatchObject([{ code: "disk-full" }]));
    full = false;
    await until(() => expect(waiting()).toEqual(["a"]));
    await until(() => expect(capture.state().problems).toBe(0));
  });

  test("a change that a coarse clock hides is found by the look after", async () => {
    write("a", "1");
    utimesSync(join(root, "a"), 1, 1);
    start({}, timesOf(Date.now()));
    await until(() => expect(deliver()).toEqual(["a"]));
    write("a", "2");
    await until(() => expect(waiting()).toEqual(["a"]));
  });

  test.for([-3_600_000, 0, 3_600_000])(
    "on a share whose clock is off by %i ms, a file is read no sooner than one tick after it was first seen so",
    async (ms) => {
      write("a", "1");
      const at: number[] = [];
      const disk = timesOf(Date.now() + ms);
      const looked = <R>(path: Buffer, look: (path: Buffer) => Promise<R>): Promise<R> => {
        if (path.toString().endsWith("/a")) at.push(performance.now());
        return look(path);
      };
      start(
        { share: true, after: "delete" },
        {
          ...disk,
          lstat: (path) => looked(path, disk.lstat),
          open: (path) => looked(path, disk.open),
        },
      );
      await until(() => expect(waiting()).toEqual(["a"]));
      // Its last look is the one after the last byte.
      expect(at.at(-1)! - at[0]!).toBeGreaterThanOrEqual(2_000);
      deliver();
      // What was read so is never read again for its times' sake: it is acted on at once.
      await until(() =>
        expect(facts).toContainEqual(expect.objectContaining({ kind: "AfterActionSkipped" })),
      );
      expect(facts.filter(({ kind }) => kind === "ParcelSealed")).toHaveLength(1);
    },
  );

  test.for(["in-place", "copy"] as const)(
    "on a share whose mount tells for a moment what was before, nothing is sealed that never was: %s",
    { timeout: 30_000 },
    async (how) => {
      const [before, after] = ["what was there", "what stands there now, and is longer"];
      write("a", before);
      let old: BigIntStats | undefined;
      let staleUntil = 0;
      const told = async (look: () => Promise<BigIntStats>): Promise<BigIntStats> =>
        old !== undefined && performance.now() < staleUntil ? old : await look();
      const disk: Disk = {
        ...realDisk,
        lstat: async (path) =>
          path.toString().endsWith("/a")
            ? await told(() => realDisk.lstat(path))
            : await realDisk.lstat(path),
        async open(path) {
          if (old === undefined) {
            old = await realDisk.lstat(path);
            staleUntil = performance.now() + 1_000;
            write("new", after);
            renameSync(join(root, "new"), join(root, "a"));
          }
          const handle = await realDisk.open(path);
          const [stat, read] = [handle.stat.bind(handle), handle.read.bind(handle)];
          const most = performance.now() < staleUntil ? before.length : Number.POSITIVE_INFINITY;
          return Object.assign(handle, {
            stat: () => told(() => stat({ bigint: true })),
            read: (into: Buffer, from: number, length: number, at: number) =>
              read(into, from, Math.max(0, Math.min(length, most - at)), at),
          });
        },
      };
      start({ share: true, capture: how }, disk);
      await vi.waitFor(() => expect(seen("a")).toBeDefined(), 20_000);
      expect(seen("a")?.sha256).toBe(createHash("sha256").update(after).digest("hex"));
      expect(facts.filter(({ kind }) => kind === "ParcelSealed")).toHaveLength(1);
      expect(readdirSync(join(home, "spool"))).toHaveLength(how === "copy" ? 1 : 0);
    },
  );

  test("a snapshot on a share is not the last word: the file is sealed again when it rests", async () => {
    start({ share: true, settle: 200, rescan: 200, snapshotGrowing: 500 });
    let size = 0;
    const timer = setInterval(() => write("log", "x".repeat(++size)), 20);
    await until(() => expect(has("ParcelSealed")).toBe(true));
    expect(seen("log")?.state.size).toBe(-1);
    clearInterval(timer);
    await until(() => expect(seen("log")?.state.size).toBe(size));
  });

  test("rehash finds a change that left no trace", async () => {
    write("a", "1");
    const capture = start({ rehash: 2000 }, timesOf(0));
    await until(() => expect(deliver()).toEqual(["a"]));
    write("a", "2");
    await capture.scanNow();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(waiting()).toEqual([]);
    await until(() => {
      void capture.scanNow();
      expect(waiting()).toEqual(["a"]);
    });
  });

  describe("after a receipt", () => {
    test("delete: gone, and no removal follows", async () => {
      write("d/a", "1");
      const capture = start({ after: "delete" });
      await until(() => expect(deliver()).toEqual(["d/a"]));
      await until(() => expect(has("AfterActionDone")).toBe(true));
      expect(readdirSync(join(root, "d"))).toEqual([]);
      await capture.scanNow();
      await new Promise((resolve) => setTimeout(resolve, 1300));
      await capture.scanNow();
      expect(waiting()).toEqual([]);
    });

    test("a crash right after the deletion: no removal follows either", async () => {
      write("a", "1");
      write("b", "1");
      const real = queue.intake("acme", "pos");
      // Killed between the unlink and what is noted of it: nothing after the unlink is stored.
      const intake: Intake = {
        ...real,
        forget: (path) => {
          if (!path.equals(Buffer.from("a"))) real.forget(path);
          else throw new ProblemError("disk-full", "no room");
        },
      };
      const first = start({ after: "delete" }, realDisk, intake);
      await until(() => expect(deliver().sort()).toEqual(["a", "b"]));
      await until(() => expect(readdirSync(root)).toEqual([]));
      await first.stop(10_000);
      running.length = 0;
      const capture = start({ after: "delete" });
      await capture.scanNow();
      await new Promise((resolve) => setTimeout(resolve, 1300));
      await capture.scanNow();
      expect(waiting()).toEqual([]);
      expect(seen("a")).toBeUndefined();
    });

    test("a changed file is not deleted, but sealed anew and then deleted", async () => {
      write("a", "1");
      start({ after: "delete" });
      await until(() => expect(waiting()).toEqual(["a"]));
      write("a", "22");
      deliver();
      expect(readFileSync(join(root, "a"), "utf8")).toBe("22");
      await until(() => expect(deliver()).toEqual(["a"]));
      await until(() => expect(readdirSync(root)).toEqual([]));
    });

    test("what a crash left undone is done at the start; a private name is put back first", async () => {
      write("a", "1");
      write("b", "1b");
      const first = start();
      await until(() => expect(deliver().sort()).toEqual(["a", "b"]));
      await first.stop(10_000);
      running.length = 0;
      renameSync(join(root, "a"), join(root, OWN));
      start({ after: "move:done" });
      await until(() => expect(readdirSync(join(root, "done")).sort()).toEqual(["a", "b"]));
      await until(() => expect(readdirSync(root)).toEqual(["done"]));
      expect(waiting()).toEqual([]);
    });

    test("a private name whose own name has a newer file by now is ended by what the receiver holds, and only by that", async () => {
      write("a", "old");
      const first = start();
      await until(() => expect(deliver()).toEqual(["a"]));
      await first.stop(10_000);
      running.length = 0;
      queue.intake("acme", "pos").missed([Buffer.from("a")], TAKEN_BY_US);
      renameSync(join(root, "a"), join(root, OWN));
      write("a", "new and longer");
      // The newer one is sealed before anybody looks for what is missing.
      const second = start();
      await until(() => expect(deliver()).toEqual(["a"]));
      await second.stop(10_000);
      running.length = 0;
      expect(readdirSync(root).sort()).toEqual([OWN, "a"].sort());
      writeFileSync(join(root, OWN), "odd");
      const third = start({ after: "delete" });
      await until(() => expect(readdirSync(root)).toEqual([OWN]));
      await until(() => expect(third.state().problems).toBe(1));
      expect(readFileSync(join(root, OWN), "utf8")).toBe("odd");
      writeFileSync(join(root, OWN), "old");
      await third.scanNow();
      await until(() => expect(readdirSync(root)).toEqual([]));
      await until(() => expect(third.state().problems).toBe(0));
    });

    test("a private name is put back when after: is configured no more; a name that looks alike is a client's file", async () => {
      for (const name of ["a", "b"]) write(name, name);
      const first = start();
      await until(() => expect(deliver().sort()).toEqual(["a", "b"]));
      await first.stop(10_000);
      running.length = 0;
      // Killed between the two steps of the action, and the operator took the line away.
      queue.intake("acme", "pos").missed([Buffer.from("a")], TAKEN_BY_US);
      renameSync(join(root, "a"), join(root, OWN));
      rmSync(join(root, "b"));
      write(".tributary-of-the-client~", "c");
      start();
      await until(() => expect(waiting().sort()).toEqual(["-b", ".tributary-of-the-client~"]));
      expect(readdirSync(root).sort()).toEqual([".tributary-of-the-client~", "a"]);
      expect(seen("a")).toMatchObject({ missed: 0 });
    });
  });

  describe("removals", () => {
    const delivered = async (...names: string[]): Promise<void> => {
      const left = new Set(names);
      await until(() => {
        for (const name of deliver()) left.delete(name);
        expect([...left]).toEqual([]);
      });
    };

    test("a file, and a folder with all in it, that vanish are removals within 15 s", async () => {
      for (const name of ["a", "d/1", "d/e/2", "keep"]) write(name, name);
      start();
      await delivered("a", "d/1", "d/e/2", "keep");
      rmSync(join(root, "a"));
      rmSync(join(root, "d"), { recursive: true });
      await until(() => expect(waiting().sort()).toEqual(["-a", "-d/1", "-d/e/2"]));
      deliver();
      write("a", "a");
      await until(() => expect(waiting()).toEqual(["a"]));
    });

    test("gone for an instant once, gone for good later: each time two looks decide", async () => {
      write("a", "1");
      start();
      await delivered("a");
      rmSync(join(root, "a"));
      await until(() => expect(seen("a")?.missed).toBe(1));
      write("a", "22");
      await delivered("a");
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      rmSync(join(root, "a"));
      await until(() => expect(waiting()).toEqual(["-a"]));
      expect(facts.filter(({ kind }) => kind === "RemovalSealed")).toHaveLength(1);
    });

    test("a renamed folder is removals and new files", async () => {
      write("d/1", "x");
      start();
      await delivered("d/1");
      renameSync(join(root, "d"), join(root, "e"));
      await until(() => expect(waiting().sort()).toEqual(["-d/1", "e/1"]));
    });

    test("what becomes a link, a FIFO, or lies behind a link, is no longer there", async () => {
      const names = ["link", "fifo", "dir/1", "dir/sub/2", "same", "out/x", "keep"];
      for (const name of names) write(name, name);
      const capture = start({ exclude: ["out"] });
      await delivered(...names.filter((name) => name !== "out/x"));
      renameSync(join(root, "dir"), join(home, "dir"));
      symlinkSync(join(home, "dir"), join(root, "dir"));
      for (const name of ["link", "fifo", "same"]) rmSync(join(root, name));
      symlinkSync("keep", join(root, "link"));
      execFileSync("mkfifo", [join(root, "fifo")]);
      mkdirSync(join(root, "same"));
      await until(() =>
        expect(waiting().sort()).toEqual(["-dir/1", "-dir/sub/2", "-fifo", "-link", "-same"]),
      );
      deliver();
      symlinkSync(".", join(root, "loop"));
      await capture.scanNow();
      expect(waiting()).toEqual([]);
    });

    test("what was captured and is excluded now is not removed, whatever it becomes", async () => {
      write("a", "1");
      write("d/b", "1");
      const first = start();
      await delivered("a", "d/b");
      await first.stop(10_000);
      running.length = 0;
      rmSync(join(root, "a"));
      rmSync(join(root, "d"), { recursive: true });
      for (const name of ["a", "d"]) symlinkSync("/", join(root, name));
      const capture = start({ exclude: ["a", "d"] });
      for (let i = 0; i < 3; i += 1) {
        await capture.scanNow();
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      expect(waiting()).toEqual([]);
    });

    test("on a share that numbers its files anew at each look everything goes on: seals, changes, removals", async () => {
      for (const name of ["a", "d/b"]) write(name, name);
      const capture = start({ share: true, rescan: 500 }, renumbering());
      await delivered("a", "d/b");
      write("a", "changed");
      await delivered("a");
      await capture.scanNow();
      expect(facts.findLast(({ kind }) => kind === "ScanFinished")).toMatchObject({ complete: true });
      rmSync(join(root, "d"), { recursive: true });
      await until(() => expect(waiting()).toEqual(["-d/b"]));
      expect(capture.state().problems).toBe(0);
    });

    test("what vanished while the agent was not running", async () => {
      write("a", "1");
      write("b", "1");
      const first = start();
      await delivered("a", "b");
      await first.stop(10_000);
      running.length = 0;
      rmSync(join(root, "a"));
      start();
      await until(() => expect(waiting()).toEqual(["-a"]));
    });

    test("a root that goes away, is empty, or is another one removes nothing until it is accepted", async () => {
      write("a", "1");
      const capture = start();
      await delivered("a");
      renameSync(root, join(home, "away"));
      await capture.scanNow();
      expect(capture.state()).toMatchObject({ reachable: false });
      mkdirSync(root);
      write("b", "2");
      for (let i = 0; i < 3; i += 1) {
        await capture.scanNow();
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      expect(waiting()).toEqual(["b"]);
      expect(queue.status.problems(9)).toMatchObject([{ code: "root-changed" }]);
      expect(facts.filter(({ kind }) => kind === "RootChanged")).toHaveLength(1);
      acceptRoot(queue.book("acme", "pos"));
      // Nobody asks for a scan: the acceptance does.
      await until(() => expect(waiting()).toEqual(["b", "-a"]));
      expect(capture.state().problems).toBe(0);
      expect(facts).toContainEqual({ kind: "RootTaken", source: "pos", accepted: true });
      const health = facts.flatMap((fact) => (fact.kind === "SourceHealthChanged" ? [fact.healthy] : []));
      expect(health).toEqual([false, true]);
    });

    test("another share at the same place removes nothing, though its root looks alike", async () => {
      write("a", "1");
      let share = "6969 one:/export";
      const capture = start({ share: true }, { ...realDisk, shareOf: async () => share });
      await delivered("a");
      share = "6969 two:/export";
      rmSync(join(root, "a"));
      write("b", "2");
      for (let i = 0; i < 5; i += 1) {
        await capture.scanNow();
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      await until(() => expect(waiting()).toEqual(["b"]));
      expect(queue.status.problems(9)).toMatchObject([{ code: "root-changed" }]);
    });

    const mountable = process.platform === "linux" && process.getuid?.() === 0;
    test.skipIf(!mountable)(
      "a file system mounted inside that goes away removes nothing (needs root)",
      async () => {
        const at = join(root, "mnt");
        mkdirSync(at);
        execFileSync("mount", ["-t", "tmpfs", "tmpfs", at]);
        let mounted = true;
        try {
          write("mnt/d/a", "1");
          write("b", "1");
          const capture = start({ crossMounts: true });
          await delivered("mnt/d/a", "b");
          execFileSync("umount", [at]);
          mounted = false;
          rmSync(join(root, "b"));
          await until(() => expect(waiting()).toEqual(["-b"]));
          await capture.scanNow();
          await new Promise((resolve) => setTimeout(resolve, 1300));
          await capture.scanNow();
          expect(waiting()).toEqual(["-b"]);
          expect(queue.status.problems(9)).toMatchObject([
            { code: "root-changed", path: Buffer.from("mnt") },
          ]);
        } finally {
          if (mounted) execFileSync("umount", ["-l", at]);
        }
      },
    );

    test("rules that no longer take a path remove nothing", async () => {
      write("a.txt", "1");
      write("d/b.csv", "1");
      const first = start();
      await delivered("a.txt", "d/b.csv");
      await first.stop(10_000);
      running.length = 0;
      rmSync(join(root, "a.txt"));
      rmSync(join(root, "d"), { recursive: true });
      const capture = start({ include: ["**/*.csv"], exclude: ["d"] });
      for (let i = 0; i < 3; i += 1) {
        await capture.scanNow();
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      expect(waiting()).toEqual([]);
      expect(seen("a.txt")).toBeDefined();
    });

    test("gone before a receipt came: the receiver may have it all the same, so the vanishing is told", async () => {
      write("a", "1");
      start();
      await until(() => expect(waiting()).toEqual(["a"]));
      rmSync(join(root, "a"));
      await until(() => expect(seen("a")?.missed).toBe(1));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(waiting()).toEqual(["a"]);
      deliver(SUPERSEDED);
      await until(() => expect(waiting()).toEqual(["-a"]));
    });

    test("delivered before, changed, gone before that could be sent: superseded, then the removal", async () => {
      write("a", "1");
      start();
      await delivered("a");
      write("a", "22");
      await until(() => expect(waiting()).toEqual(["a"]));
      rmSync(join(root, "a"));
      await until(() => expect(waiting()).toEqual(["a", "-a"]));
      deliver(SUPERSEDED);
      expect(waiting()).toEqual(["-a"]);
    });

    test("switched off", async () => {
      write("a", "1");
      const capture = start({ removals: false });
      await delivered("a");
      rmSync(join(root, "a"));
      await capture.scanNow();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await capture.scanNow();
      expect(waiting()).toEqual([]);
    });
  });
});
