import { PROBLEMS, type ProblemCode } from "@tributary/shared/problems.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, reachOf } from "./retry.ts";

test("full jitter: never above the exponential bound, never above a minute, down to nothing", () => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), chance, (attempt, random) => {
      const ms = backoffMs(attempt, undefined, () => random);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(60_000, 500 * 2 ** attempt));
    }),
  );
  expect(backoffMs(10, undefined, () => 0)).toBe(0);
  expect(backoffMs(10, undefined, () => 0.999_999)).toBeGreaterThan(59_000);
});

test("Retry-After is never shortened, and lengthened by a tenth or a second at most", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 100_000, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (attempt, seconds, random) => {
        const ms = backoffMs(attempt, seconds, () => random);
        expect(ms).toBeGreaterThanOrEqual(seconds * 1000);
        expect(ms).toBeLessThanOrEqual(Math.ceil(seconds * 1000 + Math.max(1000, seconds * 100)));
      },
    ),
  );
});

test.for([
  ["receiver-unreachable", "receiver"],
  ["receiver-untrusted", "receiver"],
  ["stopping", "receiver"],
  ["config-invalid", "receiver"],
  ["agent-forked", "agent"],
  ["agent-revoked", "agent"],
  ["unauthenticated", "agent"],
  ["busy", "receiver"],
  ["disk-reserve", "receiver"],
  ["client-suspended", "client"],
  ["client-not-allowed", "client"],
  ["quota-day", "client"],
  ["quota-stored", "client"],
  ["limit-requests", "client"],
  ["limit-concurrent", "client"],
  ["source-unreachable", "source"],
  ["root-changed", "source"],
  ["inspection-unavailable", "receiver"],
  ["quarantined", "parcel"],
  ["discarded", "aside"],
  ["quota-file", "path"],
  ["headers-too-large", "path"],
  ["file-unreadable", "path"],
  ["receipt-invalid", "path"],
  ["source-not-allowed", "source"],
  ["digest-mismatch", "path"],
  ["path-invalid", "aside"],
  ["capture-conflict", "aside"],
  ["upload-too-many-parts", "aside"],
] as const)("%s concerns the %s", ([code, reach]) => {
  expect(reachOf(code)).toBe(reach);
});

test("what may succeed later is never set aside", () => {
  for (const code of Object.keys(PROBLEMS) as ProblemCode[])
    if (PROBLEMS[code].retry) expect(reachOf(code)).not.toBe("aside");
});
