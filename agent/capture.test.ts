import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { acceptRoot, type Capture, startCapture } from "./capture.ts";
import { agentSettings, type FolderSettings } from "./config.ts";
import type { Fact } from "./facts.ts";
import type { ParcelEnd, VersionParcel } from "./queue/queue.ts";
import { openQueue, type SqliteQueue } from "./queue/sqlite.ts";
import { Spool } from "./seal/spool.ts";
import { folderSource } from "./source/folder.ts";

const DELIVERED: ParcelEnd = {
  kind: "delivered",
  receipt: "jws",
  versionId: "v",
  status: "stored",
  receivedAt: "2026-01-01T00:00:00.000Z",
  at: 1,
};
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
    spool = new Spool(join(home, "spool"), 1e9, new Set());
    facts = [];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((capture) => capture.stop()));
    queue.close();
    rmSync(home, { recursive: true, force: true });
  });

  function start(more: Partial<FolderSettings> = {}): Capture {
    const [source] = agentSettings.parse({ sources: [{ name: "pos", path: root, settle: "50ms" }] }).sources;
    const settings = { ...(source as FolderSettings), ...more };
    const capture = startCapture({
      source: folderSource({ ...settings, ignored: [] }),
      settings,
      intake: queue.intake("acme", "pos"),
      book: queue.book("acme", "pos"),
      spool,
      onEnd: queue.onEnd,
      report: (fact) => facts.push(fact),
      corrected: Date.now,
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

    test("a renamed folder is removals and new files", async () => {
      write("d/1", "x");
      start();
      await delivered("d/1");
      renameSync(join(root, "d"), join(root, "e"));
      await until(() => expect(waiting().sort()).toEqual(["-d/1", "e/1"]));
    });

    test("what vanished while the agent was not running", async () => {
      write("a", "1");
      write("b", "1");
      const first = start();
      await delivered("a", "b");
      await first.stop();
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
      acceptRoot(queue.book("acme", "pos"));
      await capture.scanNow();
      await until(() => expect(waiting()).toEqual(["b", "-a"]));
      expect(capture.state().problems).toBe(0);
    });

    test("rules that no longer take a path remove nothing", async () => {
      write("a.txt", "1");
      write("d/b.csv", "1");
      const first = start();
      await delivered("a.txt", "d/b.csv");
      await first.stop();
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

    test("never delivered and gone: no removal, but said", async () => {
      write("a", "1");
      start();
      await until(() => expect(waiting()).toEqual(["a"]));
      rmSync(join(root, "a"));
      await until(() => expect(seen("a")?.missed).toBe(1));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(waiting()).toEqual(["a"]);
      deliver(SUPERSEDED);
      await until(() => expect(has("FileVanishedUnsent")).toBe(true));
      expect(waiting()).toEqual([]);
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
