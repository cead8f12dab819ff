import { afterAll, beforeAll, expect, test } from "vitest";
import { midnightOf } from "./days.ts";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

test.for([
  ["a day", "2026-06-03", "2026-06-02T22:00:00.000Z", "2026-06-03T22:00:00.000Z"],
  ["a day of 25 hours", "2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"],
  ["a day of 23 hours", "2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"],
  ["the last of a year", "2026-12-31", "2026-12-30T23:00:00.000Z", "2026-12-31T23:00:00.000Z"],
] as const)("%s is whole", ([, day, begin, end]) => {
  expect([midnightOf(day), midnightOf(day, 1)]).toEqual([begin, end]);
});

test.for(["", "soon", "2026-13-01"])("%s is none", (day) => {
  expect(midnightOf(day)).toBeUndefined();
});
