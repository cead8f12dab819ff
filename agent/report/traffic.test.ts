import { beforeEach, expect, test } from "vitest";
import type { Parcel } from "../queue/queue.ts";
import { Today, Traffic } from "./traffic.ts";

let now: number;
const parcel = (captureId: string, source = "pos", size = 100): Parcel =>
  ({ kind: "version", captureId, client: "acme", source, state: { size } }) as Parcel;

beforeEach(() => {
  now = 1_000_000;
});

test("what is on its way, what of it has left, and the rate over ten seconds", () => {
  const traffic = new Traffic(() => now);
  traffic.begins(parcel("1"));
  traffic.begins(parcel("2", "hr"));
  traffic.left("1", 1000);
  now += 5000;
  traffic.left("1", 1000);
  expect(traffic.sending()).toEqual([
    { client: "acme", source: "pos", files: 1, bytes: 2000, bytesPerSecond: 200 },
    { client: "acme", source: "hr", files: 1, bytes: 0, bytesPerSecond: 0 },
  ]);
  traffic.ends(parcel("1"));
  traffic.ends(parcel("2", "hr"));
  traffic.left("1", 5);
  now += 6000;
  expect(traffic.sending()).toEqual([
    { client: "acme", source: "pos", files: 0, bytes: 0, bytesPerSecond: 100 },
  ]);
  now += 6000;
  expect(traffic.sending()).toEqual([]);
});

test("today begins with what the log knows, goes on with what comes, and ends at midnight UTC", () => {
  now = Date.parse("2026-01-01T23:59:59.000Z");
  const asked: number[] = [];
  const today = new Today(
    () => now,
    (at) => {
      asked.push(at);
      return [{ client: "acme", source: "pos", files: 2, bytes: 20 }];
    },
  );
  expect(asked).toEqual([Date.parse("2026-01-01T00:00:00.000Z")]);
  today.delivered(parcel("1"));
  today.delivered({ ...parcel("2"), kind: "removal" } as Parcel);
  expect(today.all()).toEqual({
    day: "2026-01-01",
    sources: [{ client: "acme", source: "pos", files: 3, bytes: 120 }],
  });
  now += 1000;
  expect(today.all()).toEqual({ day: "2026-01-02", sources: [] });
});
