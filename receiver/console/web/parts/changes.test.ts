import { expect, test } from "vitest";
import { changesOf } from "./changes.ts";

test("only what changed, with sizes, rates and times in words", () => {
  const before = {
    quotas: { stored: null, day: 5e9, file: 1 },
    limits: { requests: { count: 600, perMs: 60_000 }, uploads: null },
    suspendedAt: null,
  };
  const after = {
    quotas: { stored: 2e12, day: null, file: 1 },
    limits: { requests: { count: 10, perMs: 1000 }, uploads: 4 },
    suspendedAt: "2026-11-28T02:00:00.000Z",
  };
  expect(changesOf(before, after)).toEqual([
    { name: "stored in all", before: "default", after: "2 TB" },
    { name: "a day", before: "5 GB", after: "default" },
    { name: "requests", before: "600 a minute", after: "10 in 1 s" },
    { name: "uploads at once", before: "default", after: "4" },
    { name: "suspended", before: "none", after: expect.stringMatching(/2026/) },
  ]);
});

test("of what was made, what it has; of what is gone, what it was", () => {
  expect(changesOf(null, { role: "viewer", client: null, keys: [] })).toEqual([
    { name: "role", before: undefined, after: "viewer" },
  ]);
  expect(changesOf({ clients: ["acme", "globex"] }, null)).toEqual([
    { name: "clients", before: undefined, after: "acme, globex" },
  ]);
});

test("how long something is good is said as elsewhere", () => {
  expect(changesOf(null, { good: "86400 s" })).toEqual([
    { name: "good for", before: undefined, after: "24 h" },
  ]);
});

test("what has no word is shown as it is, and cut where it is long", () => {
  expect(changesOf(null, { changed: "backup codes", oddThing: "x".repeat(300), sure: true })).toEqual([
    { name: "what", before: undefined, after: "new backup codes" },
    { name: "odd thing", before: undefined, after: `${"x".repeat(200)}…` },
    { name: "sure", before: undefined, after: "yes" },
  ]);
});

test("of what an act tells no more, only what it was done to", () => {
  const before = { state: "held", path: "day.csv", sha256: "ab", finding: "Eicar" };
  expect(changesOf(before, { state: "discarded", reason: "a virus" })).toEqual([
    { name: "state", before: "held", after: "discarded" },
    { name: "file", before: undefined, after: "day.csv" },
    { name: "found", before: undefined, after: "Eicar" },
    { name: "why", before: undefined, after: "a virus" },
  ]);
});
