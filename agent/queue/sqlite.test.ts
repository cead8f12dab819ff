import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askRetry } from "./aside.ts";
import { openQueueFile } from "./database.ts";
import { lockDataFolder } from "./lock.ts";
import { aside, delivered, queueContract, seenOf, version } from "./queue.contract.ts";
import type { ParcelEnd } from "./queue.ts";
import { openQueue, queueOn } from "./sqlite.ts";

queueContract("the queue in SQLite", () => {
  const folder = mkdtempSync(join(tmpdir(), "queue-"));
  const queue = openQueue(join(folder, "queue.sqlite"));
  return {
    queue,
    end() {
      queue.close();
      rmSync(folder, { recursive: true });
    },
  };
});

test("which sources others may have is known on a full disk, too, and written when there is room", () => {
  const folder = mkdtempSync(join(tmpdir(), "queue-"));
  const db = openQueueFile(join(folder, "queue.sqlite"));
  const { shared } = queueOn(db);
  shared.set("acme", "first", true);
  db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`);
  const names = Array.from({ length: 400 }, (_, i) => `${"n".repeat(59)}${i}`);
  for (const name of names) shared.set("acme", name, true);
  const known = (): number => names.filter((name) => queueOn(db).shared.has("acme", name)).length;
  expect(names.every((name) => shared.has("acme", name))).toBe(true);
  expect(known()).toBeLessThan(names.length);
  db.pragma("max_page_count = 1000000");
  for (const name of names) shared.set("acme", name, true);
  expect(known()).toBe(names.length);
  shared.set("acme", "first", false);
  expect([shared.has("acme", "first"), queueOn(db).shared.has("acme", "first")]).toEqual([false, false]);
  db.close();
  rmSync(folder, { recursive: true });
});

describe("what was set aside", () => {
  let folder: string;
  let db: ReturnType<typeof openQueueFile>;
  let queue: ReturnType<typeof queueOn>;
  let ended: string[];
  let clock: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queue-"));
    db = openQueueFile(join(folder, "queue.sqlite"));
    clock = 0;
    queue = queueOn(db, { now: () => clock });
    ended = [];
    queue.onEnd((ends) => ended.push(...ends.map(({ parcel, end }) => `${parcel.captureId} ${end.kind}`)));
  });
  afterEach(() => {
    queue.close();
    rmSync(folder, { recursive: true });
  });
  const put = (path: string, content: string, spooled?: string) => {
    const parcel = version(path, content, { spooled });
    queue.intake("acme", "pos").put([{ parcel, seen: seenOf(parcel) }]);
    return parcel;
  };
  const taken = () => queue.outbox.take(9, 0).map(({ parcel, attempts }) => [parcel.captureId, attempts]);
  const asideUntil = (at: number, until: number): ParcelEnd => ({
    kind: "aside",
    code: "quarantined",
    detail: "it is held",
    at,
    until,
  });
  const setAside = (...parcels: { captureId: string }[]) => {
    for (const { captureId } of parcels) queue.outbox.end(captureId, aside);
  };

  test("does not wait to leave: a source of which there is nothing else may go to another agent", () => {
    expect(queue.waits("acme", "pos")).toBe(false);
    const parcel = put("a", "x");
    expect([queue.waits("acme", "pos"), queue.waits("bell", "pos")]).toEqual([true, false]);
    setAside(parcel);
    expect(queue.waits("acme", "pos")).toBe(false);
  });

  test("goes again when it is asked for, as if it were new, and no longer stands as a problem", () => {
    const [a, b] = [put("a", "1", "copy-a"), put("b", "1")];
    setAside(a, b);
    expect(queue.outbox.retake()).toBe(0);
    expect(askRetry(db, ({ path }) => path.toString() === "a")).toBe(1);
    expect([...queue.status.spooled().keys()]).toEqual(["copy-a"]);
    expect(taken()).toEqual([]);
    expect(queue.outbox.retake()).toBe(1);
    expect(taken()).toEqual([[a.captureId, 0]]);
    expect(queue.status.problems(9).map(({ captureId }) => captureId)).toEqual([b.captureId]);
    expect(askRetry(db, ({ client, source }) => client === "acme" && source === "pos")).toBe(1);
    expect(askRetry(db, ({ source }) => source === "till")).toBe(0);
  });

  test("for a time goes again when that is over, as long a problem as before; a start does not wait for it", () => {
    const [a, b, c] = [put("a", "1"), put("b", "1"), put("c", "1")];
    setAside(c);
    clock = 100;
    queue.outbox.end(a.captureId, asideUntil(100, 500));
    queue.outbox.end(b.captureId, asideUntil(100, 900));
    clock = 499;
    expect(queue.outbox.retake()).toBe(0);
    expect(queue.status.problems(9).find(({ captureId }) => captureId === a.captureId)).toMatchObject({
      ...{ aside: true, until: new Date(500).toISOString() },
    });
    clock = 500;
    expect(queue.outbox.retake()).toBe(1);
    expect(queue.outbox.retake()).toBe(0);
    expect(taken()).toEqual([[a.captureId, 0]]);
    queue.outbox.end(a.captureId, asideUntil(500, 1000));
    expect(queue.status.problems(9).find(({ captureId }) => captureId === a.captureId)?.since).toBe(
      new Date(100).toISOString(),
    );
    queue.outbox.wakeAll();
    expect(queue.outbox.retake()).toBe(2);
    expect(taken().map(([captureId]) => captureId)).toEqual([a.captureId, b.captureId]);
    expect(queue.status.problems(9).map(({ captureId }) => captureId)).toEqual([c.captureId]);
  });

  test("for a time is remembered by the next process", () => {
    const a = put("a", "1");
    queue.outbox.end(a.captureId, asideUntil(100, 500));
    clock = 501;
    const next = openQueue(join(folder, "queue.sqlite"), { now: () => clock });
    expect(next.outbox.retake()).toBe(1);
    next.close();
  });

  test("takes its turn before what was sealed of its path since, all of it in order", () => {
    const [a, b, c] = [put("p", "1"), put("p", "2"), put("p", "3")];
    setAside(a, b);
    queue.outbox.postpone([
      { captureId: c.captureId, until: 500, problem: { code: "file-unreadable", detail: "" } },
    ]);
    askRetry(db, () => true);
    queue.outbox.retake();
    for (const { captureId } of [a, b]) {
      expect(taken()).toEqual([[captureId, 0]]);
      queue.outbox.end(captureId, delivered);
    }
    expect(taken()).toEqual([]);
    expect(queue.outbox.take(9, 500)).toMatchObject([{ parcel: { captureId: c.captureId } }]);
  });

  test("waits while something of its path is on its way; when that is delivered it is dropped, never sent after it", () => {
    const [a, b] = [put("p", "1", "copy-a"), put("p", "2")];
    const other = put("q", "1");
    setAside(a, other);
    expect(taken()).toEqual([[b.captureId, 0]]);
    askRetry(db, () => true);
    expect(queue.outbox.retake()).toBe(1);
    expect(taken()).toEqual([[other.captureId, 0]]);
    queue.outbox.end(b.captureId, delivered);
    expect(ended.slice(-2)).toEqual([`${a.captureId} overtaken`, `${b.captureId} delivered`]);
    expect(queue.outbox.retake()).toBe(0);
    expect(queue.status.depth()).toMatchObject({ depth: 1, aside: 0 });
    expect([...queue.status.spooled().keys()]).toEqual([]);
    expect(queue.intake("acme", "pos").standing(b.path)).toMatchObject({ current: true });
  });

  test("whose file vanished meanwhile is followed by its removal: the lake must not show it for ever", () => {
    const a = put("a", "1", "copy-a");
    setAside(a);
    queue.intake("acme", "pos").forget(a.path);
    askRetry(db, () => true);
    expect(queue.outbox.retake()).toBe(1);
    expect(taken()).toEqual([[a.captureId, 0]]);
    queue.outbox.end(a.captureId, delivered);
    expect(queue.outbox.take(9, 0)).toMatchObject([{ parcel: { kind: "removal", path: a.path } }]);
  });

  test("was asked for before a stop: it goes after the next start", () => {
    const a = put("a", "1");
    setAside(a);
    askRetry(db, () => true);
    const next = openQueue(join(folder, "queue.sqlite"));
    expect(next.outbox.retake()).toBe(1);
    expect(next.outbox.take(9, 0)).toHaveLength(1);
    next.close();
  });
});

describe("what waits, by source", () => {
  let folder: string;
  let db: ReturnType<typeof openQueueFile>;
  let queue: ReturnType<typeof queueOn>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queue-"));
    db = openQueueFile(join(folder, "queue.sqlite"));
    queue = queueOn(db, { now: () => 100 });
  });
  afterEach(() => {
    queue.close();
    rmSync(folder, { recursive: true });
  });
  const put = (source: string, path: string): string => {
    const parcel = { ...version(path), source };
    queue.intake("acme", source).put([{ parcel, seen: seenOf(parcel) }]);
    return parcel.captureId;
  };

  test("is counted with its oldest; what is set aside is counted apart", () => {
    expect(queue.status.waitingBySource()).toEqual([]);
    const first = put("pos", "a");
    put("pos", "b");
    put("hr", "c");
    queue.intake("acme", "idle");
    queue.outbox.end(first, { kind: "aside", code: "path-invalid", detail: "", at: 5 });
    const one = expect.objectContaining({ files: 1, aside: 0 });
    expect(queue.status.waitingBySource()).toEqual([
      one,
      expect.objectContaining({ source: "pos", files: 1, aside: 1, oldestSealedAt: expect.any(String) }),
    ]);
  });

  test("comes out of the index alone, however many rows there are", () => {
    const plan = (sql: string): string =>
      (db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]).map((row) => row.detail).join();
    expect(
      plan(
        "SELECT source_id, COUNT(*), SUM(size), MIN(seq) FROM parcels WHERE aside_at IS NULL GROUP BY source_id",
      ),
    ).toMatch(/^SCAN parcels USING COVERING INDEX parcels_waiting$/);
    expect(
      plan("SELECT source_id, COUNT(*) FROM parcels WHERE aside_at IS NOT NULL GROUP BY +source_id"),
    ).toContain("INDEX parcels_aside");
    expect(plan("SELECT COUNT(*), SUM(size) FROM parcels WHERE aside_at IS NULL")).toMatch(/COVERING INDEX/);
  });

  test("with its reasons: what cannot be captured by code, locked or not; what is postponed until later", () => {
    const book = queue.book("acme", "pos");
    book.problem(Buffer.from("a"), "file-unreadable", "another program has it locked (EBUSY)", 7);
    book.problem(Buffer.from("b"), "file-unreadable", "another program has it locked (EBUSY)", 5);
    book.problem(Buffer.from("c"), "file-unreadable", "permission denied (EACCES)", 9);
    const place = { client: "acme", source: "pos", code: "file-unreadable" };
    expect(queue.status.uncaptured()).toEqual([
      { ...place, locked: false, count: 1, since: 9, path: Buffer.from("c") },
      { ...place, locked: true, count: 2, since: 5, path: Buffer.from("b") },
    ]);
    const captureId = put("pos", "d");
    queue.outbox.postpone([{ captureId, until: 500, problem: { code: "quota-day", detail: "" } }]);
    expect(queue.status.postponed(499)).toEqual([
      { ...place, code: "quota-day", locked: false, count: 1, since: 100, path: Buffer.from("d") },
    ]);
    expect(queue.status.postponed(500)).toEqual([]);
  });

  test("and what was delivered since a time is found without reading what is older", () => {
    for (let i = 0; i < 50; i += 1) {
      const captureId = put(i % 2 === 0 ? "pos" : "hr", `f${i}`);
      queue.outbox.end(captureId, { ...delivered, at: 1000 + i });
    }
    const of = (at: number) =>
      Object.fromEntries(queue.status.deliveredSince(at).map(({ source, files }) => [source, files]));
    expect(of(0)).toEqual({ pos: 25, hr: 25 });
    expect(of(1040)).toEqual({ pos: 5, hr: 5 });
    expect(of(1049)).toEqual({ hr: 1 });
    expect(of(1050)).toEqual({});
  });
});

describe("the file of the queue", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queue-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const file = (): string => join(folder, "queue.sqlite");

  test("what was handed out waits again after a reopen", () => {
    const first = openQueue(file());
    const parcel = version("a");
    first.intake("acme", "pos").put([{ parcel, seen: seenOf(parcel) }]);
    first.outbox.take(1, 0);
    first.close();
    const second = openQueue(file());
    expect(second.outbox.take(1, 0)).toEqual([{ parcel, attempts: 0 }]);
    second.close();
  });

  test("a second process reads while the first writes", () => {
    const run = openQueue(file());
    const status = openQueue(file());
    const parcel = version("a");
    run.intake("acme", "pos").put([{ parcel, seen: seenOf(parcel) }]);
    expect(status.status.depth().depth).toBe(1);
    run.book("acme", "pos").recordRoot("old");
    status.book("acme", "pos").recordRoot(undefined);
    expect(run.book("acme", "pos").rootId()).toBeUndefined();
    run.close();
    status.close();
  });

  test("a full disk is disk-full; nothing is half stored, and it goes on when there is room", () => {
    const db = openQueueFile(file());
    const queue = queueOn(db);
    const parcel = version("a");
    queue.intake("acme", "pos").put([{ parcel, seen: seenOf(parcel) }]);
    queue.outbox.take(1, 0);
    const pages = db.pragma("page_count", { simple: true }) as number;
    db.pragma(`max_page_count = ${pages + 5}`);
    const many = Array.from({ length: 2000 }, (_, i) => version(`${"n".repeat(200)}${i}`));
    const put = (): void =>
      queue.intake("acme", "pos").put(many.map((p) => ({ parcel: p, seen: seenOf(p) })));
    expect(put).toThrow(expect.objectContaining({ code: "disk-full" }));
    expect(queue.status.depth().depth).toBe(1);
    db.pragma("max_page_count = 1000000");
    put();
    queue.outbox.end(parcel.captureId, delivered);
    expect(queue.status.depth().depth).toBe(2000);
    queue.close();
  });

  test("the log of deliveries is bounded by rows and by age", () => {
    const queue = openQueue(file(), { retention: { days: 1, rows: 600 } });
    const intake = queue.intake("acme", "pos");
    const parcels = Array.from({ length: 1600 }, (_, i) => version(`f${i}`));
    intake.put(parcels.map((parcel) => ({ parcel, seen: seenOf(parcel) })));
    queue.outbox.endAll(parcels.map((p) => ({ captureId: p.captureId, end: { ...delivered, at: 1000 } })));
    expect(queue.status.deliveries(5000).length).toBeLessThan(1200);
    const late = Array.from({ length: 600 }, (_, i) => version(`g${i}`));
    intake.put(late.map((parcel) => ({ parcel, seen: seenOf(parcel) })));
    queue.outbox.endAll(late.map((p) => ({ captureId: p.captureId, end: { ...delivered, at: 2e9 } })));
    expect(queue.status.deliveries(5000).filter((d) => d.deliveredAt === 1000)).toHaveLength(0);
    queue.close();
  });

  test("a newer program's queue is refused", () => {
    const db = new Database(file());
    db.pragma("user_version = 99");
    db.close();
    expect(() => openQueue(file())).toThrow("newer tributary-agent");
  });

  test("one run per data folder", () => {
    const first = lockDataFolder(folder);
    expect(() => lockDataFolder(folder)).toThrow(expect.objectContaining({ code: "usage" }));
    first.release();
    lockDataFolder(folder).release();
  });
});
