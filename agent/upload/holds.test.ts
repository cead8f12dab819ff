import { type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import { beforeEach, expect, test } from "vitest";
import type { Parcel } from "../queue/queue.ts";
import { Holds } from "./holds.ts";

let now: number;
let holds: Holds;
beforeEach(() => {
  now = 1_000;
  holds = new Holds(
    () => now,
    () => 0,
  );
});

const parcel = (captureId: string, size = 10, source = "pos"): Parcel => ({
  kind: "version",
  captureId,
  client: "acme",
  source,
  path: Buffer.from(captureId),
  sealedAt: "2026-01-01T00:00:00Z",
  state: { size, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined },
  sha256: "",
  partDigests: undefined,
  spooled: undefined,
});
const admit = (captureId: string, size = 10, source = "pos") =>
  holds.admit(captureId, { client: "acme", source }, size);
const fail = (one: Parcel, code: ProblemCode, retryAfter = 60): void =>
  holds.failed(
    one,
    code === "source-unreachable" ? "source" : "client",
    new ProblemError(code, code, { retryAfter }),
  );

test.for([
  ["source-unreachable", "client-suspended"],
  ["client-suspended", "source-unreachable"],
] as const)(
  "tried for one reason (%s), failed for another that was there already (%s): no place stays held",
  ([first, second]) => {
    fail(parcel("a"), first);
    expect(admit("probe")).toBe("yes");
    fail(parcel("b", 10, first === "source-unreachable" ? "till" : "pos"), second);
    fail(parcel("probe"), second);
    now += 3_600_000;
    expect(admit("next")).toBe("yes");
  },
);

test("a quota holds what is as large as the smallest that it refused; smaller ones go, and say nothing of the rest", () => {
  for (const name of ["a", "b", "c"]) {
    expect(admit(name, 1000)).toBe("yes");
    fail(parcel(name, 1000), "quota-stored", 3600);
  }
  expect(admit("large", 2000)).toEqual({ below: 1000 });
  expect(admit("same", 1000)).toEqual({ below: 1000 });
  expect(admit("small", 999)).toBe("yes");
  holds.passed("small");
  expect(admit("same", 1000)).toEqual({ below: 1000 });
  expect(admit("other", 500)).toBe("yes");
  fail(parcel("other", 500), "quota-stored");
  expect(admit("small", 999)).toEqual({ below: 500 });
  expect(admit("removal", 0)).toBe("yes");
  now += 3_700_000;
  expect(admit("large", 2000)).toBe("yes");
  expect(admit("same", 1000)).toEqual({ below: 500 });
  holds.passed("large");
  expect(admit("same", 1000)).toBe("yes");
});

test.for(["limit-requests", "limit-concurrent"] as const)(
  "%s holds its client at once, for as long as the receiver said, and is told",
  (code) => {
    expect(admit("a")).toBe("yes");
    expect(admit("b")).toBe("yes");
    fail(parcel("a"), code, 37);
    fail(parcel("b"), code, 37);
    expect(holds.list()).toMatchObject([{ client: "acme", source: null, code, until: now + 37_000 }]);
    expect(admit("c")).toBe("no");
    expect(holds.nextAt()).toBe(now + 37_000);
    now += 37_000;
    expect(admit("c")).toBe("yes");
    expect(admit("d")).toBe("no");
    holds.passed("c");
    expect(admit("d")).toBe("yes");
    expect(admit("e")).toBe("yes");
    expect(holds.list()).toEqual([]);
  },
);

test("a suspended client has no size that goes", () => {
  fail(parcel("a"), "client-suspended");
  expect(admit("probe")).toBe("yes");
  expect(admit("removal", 0)).toBe("no");
});

test("what is tried and is on its way for long is not waited for: a hundred gigabytes keep nobody waiting", () => {
  fail(parcel("a"), "source-unreachable");
  expect(admit("endless")).toBe("yes");
  expect(admit("b")).toBe("no");
  expect(holds.nextAt()).toBe(now + 30_000);
  now += 30_000;
  expect(admit("b")).toBe("yes");
  // One more, and not all of them: a share may hang.
  expect(admit("c")).toBe("no");
  holds.passed("b");
  expect(admit("c")).toBe("yes");
  expect(admit("d")).toBe("yes");
});

test("a place of which nothing waits any more is not told as held", () => {
  for (const name of ["a", "b", "c"]) {
    admit(name);
    fail(parcel(name), "source-unreachable");
  }
  expect(holds.list()).toMatchObject([{ client: "acme", source: "pos", code: "source-unreachable" }]);
  now += 3_600_000;
  admit("d");
  holds.ended("d");
  expect(holds.list()).toEqual([]);
});
