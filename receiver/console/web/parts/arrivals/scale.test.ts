import { expect, test } from "vitest";
import {
  bandPaths,
  channelsOf,
  filesIn,
  HEIGHT,
  type Hour,
  medianPath,
  midnights,
  PAD,
  roundAbove,
  scaleOf,
} from "./scale.ts";

const HOUR = 3_600_000;
const hour = (n: number, files: Readonly<Record<string, number>>, usual: Hour["usual"] = null): Hour => ({
  hour: n * HOUR,
  channels: Object.fromEntries(
    Object.entries(files).map(([name, count]) => [name, { files: count, bytes: 0 }]),
  ),
  usual,
});

test("channels that are known stand first, in one order, others follow", () => {
  expect(channelsOf([hour(0, { zebra: 1, sftp: 1 }), hour(1, { push: 1, alpha: 1 })])).toEqual([
    ...["push", "sftp", "alpha", "zebra"],
  ]);
  expect(filesIn(hour(0, { push: 2, sftp: 3 }))).toBe(5);
});

test.each([
  [0, 4],
  [4, 4],
  [5, 6],
  [9, 10],
  [11, 20],
  [41, 50],
  [999, 1000],
  [1001, 2000],
])("the axis above %d ends at %d", (most, end) => {
  expect(roundAbove(most)).toBe(end);
});

test("all is inside: nothing, a usual band above what came, and no room at all", () => {
  const scale = scaleOf([hour(0, {}), hour(1, { push: 3 }, { low: 1, median: 5, high: 90 })], 200);
  expect(scale.top).toBe(100);
  expect(scale.y(0)).toBe(HEIGHT - PAD.bottom);
  expect(scale.y(100)).toBe(PAD.top);
  expect(scale.x(2)).toBe(200 - PAD.right);
  expect(scaleOf([], 0).step).toBe(0);
});

test("where the usual is not known there is no band", () => {
  const usual = { low: 1, median: 2, high: 4 };
  const hours = [hour(0, {}, usual), hour(1, {}), hour(2, {}, usual), hour(3, {}, usual)];
  expect(bandPaths(hours, scaleOf(hours, 400))).toHaveLength(2);
  const moves = medianPath(hours, scaleOf(hours, 400)).match(/[ML]/g)?.join("");
  expect(moves).toBe("MLMLLL");
  expect(bandPaths([hour(0, {})], scaleOf([], 400))).toEqual([]);
});

test("days begin at the midnight of who looks", () => {
  const hours = Array.from({ length: 30 }, (_, i) => hour(i, {}));
  expect(midnights(hours, (ms) => (ms / HOUR + 2) % 24)).toEqual([22]);
});
