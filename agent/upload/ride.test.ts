import { expect, test } from "vitest";
import { RoundTrip, ridesUpTo } from "./ride.ts";

test.for([
  [undefined, 65_536],
  [0.2, 65_536],
  [10, 100_000],
  [100, 262_144],
] as const)("at a round trip of %s ms files of up to %i bytes ride along", ([ms, bytes]) => {
  expect(ridesUpTo(ms)).toBe(bytes);
});

test("the round trip is the quickest of the last answers", () => {
  const trip = new RoundTrip();
  expect(trip.ms).toBeUndefined();
  for (const ms of [120, 101, 900]) trip.heard(ms);
  expect(trip.ms).toBe(101);
  for (let i = 0; i < 16; i += 1) trip.heard(300);
  expect(trip.ms).toBe(300);
});
