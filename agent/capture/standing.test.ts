import { expect, test } from "vitest";
import { type Standing, whyNothing } from "./standing.ts";

const NOW = 1_000_000;
const well: Standing = {
  away: undefined,
  lastScanAt: NOW - 5_000,
  nextScanAt: NOW + 5_000,
  files: 3,
  whole: true,
  events: false,
  leftOut: 2,
  settling: 0,
  scanning: false,
};

test.for([
  [{}, undefined],
  [{ away: "the server refused the password" }, "the server refused the password"],
  [
    { lastScanAt: undefined, nextScanAt: Date.parse("2026-11-28T02:30:00") },
    "it is looked through for the first time at 2026-11-28 02:30:00",
  ],
  [{ lastScanAt: undefined, scanning: true }, "it is looked through for the first time"],
  [{ files: 0, leftOut: 0 }, "it was empty when it was last looked through"],
  [{ files: 0, leftOut: 0, events: true }, undefined],
  [{ files: 0, leftOut: 0, whole: false }, "not all of it could be looked at: see its problems"],
  [{ files: 0 }, "2 files are there, and none that its rules take"],
  [{ files: 0, leftOut: 1 }, "one file is there, and none that its rules take"],
  [{ files: 0, leftOut: 0, settling: 1 }, undefined],
] as const)("%o: %s", ([more, words]) => {
  expect(whyNothing({ ...well, ...more })).toBe(words);
});
