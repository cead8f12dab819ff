import { HELD, heartbeatRequest, type SourceState } from "@tributary/shared/protocol.ts";
import { expect, test } from "vitest";
import type { SourceProblems, SourceWaiting } from "../queue/status.ts";
import { type PipeFacts, pipesOf } from "./pipe.ts";

const T0 = Date.parse("2026-01-01T00:00:00.000Z");
const since = "2026-01-01T00:00:00.000Z";
const state = (name: string, settling = 0): SourceState => ({
  ...{ name, client: "acme", kind: "folder", reachable: true, files: 9, settling, problems: 0 },
});
const waits = (source: string, files: number, more: Partial<SourceWaiting> = {}): SourceWaiting => ({
  ...{ client: "acme", source, files, bytes: files * 10, oldestSealedAt: since, aside: 0, ...more },
});
const problem = (source: string, code: SourceProblems["code"], more: Partial<SourceProblems> = {}) => ({
  ...{
    client: "acme",
    source,
    code,
    locked: false,
    count: 1,
    since: T0,
    path: Buffer.from("a.csv"),
    ...more,
  },
});
const facts = (more: Partial<PipeFacts> = {}): PipeFacts => ({
  states: [state("pos")],
  sealing: new Map(),
  ...{ waiting: [], uncaptured: [], postponed: [], sending: [], holds: [], throttled: false },
  delivered: { day: "2026-01-01", sources: [] },
  ...more,
});
const heldOf = (more: Partial<PipeFacts>) => pipesOf(facts(more)).of.get("acme/pos")?.held;

test("an empty pipe is told once, for all, and for no source", () => {
  const { all, of } = pipesOf(facts());
  expect(of.size).toBe(0);
  expect(all).toEqual({
    ...{ settling: 0, sealing: 0, queued: { files: 0, bytes: 0 }, aside: 0, held: [] },
    sending: { files: 0, bytes: 0, bytesPerSecond: 0 },
    delivered: { day: "2026-01-01", files: 0, bytes: 0 },
  });
});

test("each stage has its numbers, and the whole is their sum; a source that is no more still has what waits", () => {
  const { all, of } = pipesOf(
    facts({
      states: [state("pos", 12), state("hr", 1)],
      sealing: new Map([["acme/pos", 2]]),
      waiting: [
        waits("pos", 5, { aside: 1 }),
        waits("gone", 2, { oldestSealedAt: "2025-12-31T00:00:00.000Z" }),
      ],
      sending: [{ client: "acme", source: "pos", files: 3, bytes: 7, bytesPerSecond: 100 }],
      delivered: { day: "2026-01-01", sources: [{ client: "acme", source: "hr", files: 4, bytes: 40 }] },
    }),
  );
  expect(of.get("acme/pos")).toEqual({
    ...{ settling: 12, sealing: 2, aside: 1, held: [] },
    queued: { files: 5, bytes: 50, oldestSealedAt: since },
    sending: { files: 3, bytes: 7, bytesPerSecond: 100 },
    delivered: { day: "2026-01-01", files: 0, bytes: 0 },
  });
  expect(all).toMatchObject({
    ...{ settling: 13, sealing: 2, aside: 1 },
    queued: { files: 7, bytes: 70, oldestSealedAt: "2025-12-31T00:00:00.000Z" },
    delivered: { files: 4, bytes: 40 },
  });
  expect([...of.keys()].sort()).toEqual(["acme/gone", "acme/hr", "acme/pos"]);
});

test.for<[SourceProblems["code"], boolean, string]>([
  ["file-restless", false, "still-changing"],
  ["file-unreadable", true, "locked"],
  ["file-unreadable", false, "unreadable"],
  ["folder-unreadable", false, "unreadable"],
  ["spool-full", false, "spool-full"],
  ["disk-full", false, "disk-full"],
  ["path-invalid", false, "other"],
])("what cannot be captured waits at settling: %s (locked %s) is %s", ([code, locked, reason]) => {
  expect(heldOf({ uncaptured: [problem("pos", code, { locked })], waiting: [waits("pos", 1)] })).toEqual([
    { stage: "settling", reason, count: 1, since, path: "a.csv" },
  ]);
});

test("a source that is away is told without a path, and what is delivered and waits for its action not at all", () => {
  const waiting = [waits("pos", 1)];
  expect(
    heldOf({ waiting, uncaptured: [problem("pos", "source-unreachable", { path: Buffer.alloc(0) })] }),
  ).toEqual([{ stage: "settling", reason: "source-unreachable", count: 1, since }]);
  expect(heldOf({ waiting, uncaptured: [problem("pos", "after-failed")] })).toEqual([]);
});

test("what keeps everything, a client or a source holds what is queued there, and only where something is", () => {
  const all = facts({
    states: [state("pos"), state("hr"), state("idle", 1)],
    waiting: [waits("pos", 5), waits("hr", 2)],
    holds: [
      { reason: "paused", since: T0 },
      { reason: "client-suspended", since: T0, client: "other" },
      { reason: "lease-elsewhere", since: T0, client: "acme", source: "hr" },
    ],
  });
  const { of, all: total } = pipesOf(all);
  const paused = { stage: "queued", reason: "paused", since } as const;
  expect(of.get("acme/pos")?.held).toEqual([{ ...paused, count: 5 }]);
  expect(of.get("acme/hr")?.held).toEqual([
    { ...paused, count: 2 },
    { stage: "queued", reason: "lease-elsewhere", count: 2, since },
  ]);
  expect(of.get("acme/idle")?.held).toEqual([]);
  expect(total.held[0]).toEqual({ ...paused, count: 7 });
});

test("bandwidth holds what is on its way and what stands behind it", () => {
  const sending = [{ client: "acme", source: "pos", files: 3, bytes: 7, bytesPerSecond: 100 }];
  expect(heldOf({ waiting: [waits("pos", 5)], sending, throttled: true })).toEqual([
    { stage: "sending", reason: "bandwidth", count: 3 },
    { stage: "queued", reason: "bandwidth", count: 2 },
  ]);
});

test("reasons are one line each, and never more than the wire takes, however many sources there are", () => {
  const names = Array.from({ length: 3000 }, (_, i) => `s${i}`);
  const codes = ["file-restless", "file-unreadable", "spool-full", "disk-full", "path-invalid"] as const;
  const { all, of } = pipesOf(
    facts({
      states: names.map((name) => state(name, 1)),
      waiting: names.map((name, i) => waits(name, i)),
      uncaptured: names.flatMap((name) => codes.map((code) => problem(name, code))),
      postponed: names.map((name) => problem(name, "quota-day")),
    }),
  );
  const lines = [...of.values()].flatMap(({ held }) => held).length + all.held.length;
  expect(lines).toBeLessThanOrEqual(HELD.all);
  expect(of.size).toBe(1000);
  expect(of.has("acme/s2999")).toBe(true);
  expect(all.held.every(({ count }) => count === 3000)).toBe(true);
  expect(heartbeatRequest.shape.pipe.safeParse(all).success).toBe(true);
  expect(JSON.stringify([...of.values()]).length).toBeLessThan(500_000);
});
