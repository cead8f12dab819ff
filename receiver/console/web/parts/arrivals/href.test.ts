import { expect, test } from "vitest";
import { hourHref } from "./href.ts";

test("an hour leads to the files that it counts, and to no removals", () => {
  const hour = Date.parse("2026-06-03T05:00:00Z");
  const query = "kind=version&from=2026-06-03T05%3A00%3A00.000Z&to=2026-06-03T06%3A00%3A00.000Z";
  expect(hourHref()(hour)).toBe(`/deliveries?${query}`);
  expect(hourHref("acme")(hour)).toBe(`/clients/acme/deliveries?${query}`);
});
