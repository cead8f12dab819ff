import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openQueueFile } from "./database.ts";
import { lockDataFolder } from "./lock.ts";
import { delivered, queueContract, seenOf, version } from "./queue.contract.ts";
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
