import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { liveWriter, readLive } from "./live.ts";

const same = (text: string): string => text;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-live-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const state = {
  pid: 1,
  startedAt: "then",
  trouble: null,
  refused: null,
  held: [],
  sources: [],
  slowed: [],
  skewMs: 120,
  delivered: 0,
  bytes: 0,
};

test("what has not changed is not written again", () => {
  const write = liveWriter(dir, same, () => new Date(0));
  write(state);
  const first = statSync(join(dir, "live.json")).ino;
  write({ ...state });
  write({ ...state, skewMs: 130 });
  expect(statSync(join(dir, "live.json")).ino).toBe(first);
  write({ ...state, delivered: 1 });
  expect(readLive(dir)).toEqual({ ...state, skewMs: 0, delivered: 1, at: new Date(0).toISOString() });
});

test("what could not be written is tried again", () => {
  const write = liveWriter(join(dir, "later"), same);
  write(state);
  expect(readLive(dir)).toBeUndefined();
  const there = liveWriter(dir, same);
  there(state);
  expect(readLive(dir)?.pid).toBe(1);
});
