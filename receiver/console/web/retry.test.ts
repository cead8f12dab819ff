import { expect, test } from "vitest";
import { Refusal } from "./api.ts";
import { mayRetry, retryDelay } from "./retry.ts";

test("what is being prepared is asked for again until it is there, as often as the receiver says", () => {
  const preparing = new Refusal("the history of acme is read", "preparing", 503, "r", 2);
  for (const count of [0, 3, 1000]) {
    expect(mayRetry(count, preparing)).toBe(true);
    expect(retryDelay(count, preparing)).toBe(2000);
  }
  expect(retryDelay(5, new Refusal("read", "preparing", 503))).toBe(1000);
});

test("what is refused is not asked again, and what cannot be reached three times", () => {
  expect(mayRetry(0, new Refusal("no", "not-found", 404))).toBe(false);
  const away = new Refusal("away", "unreachable", 0);
  expect([0, 2, 3].map((count) => mayRetry(count, away))).toEqual([true, true, false]);
  expect([0, 1, 9].map((count) => retryDelay(count, away))).toEqual([1000, 2000, 30_000]);
});
