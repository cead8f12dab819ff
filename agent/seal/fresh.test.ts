import { expect, test } from "vitest";
import { FreshBytes } from "./fresh.ts";

const MiB = 2 ** 20;

test("bytes are given once, to their own capture", () => {
  const fresh = new FreshBytes(() => 0);
  fresh.keep("a", Buffer.from("1"));
  fresh.keep("b", Buffer.from("2"));
  expect(fresh.take("c")).toBeUndefined();
  expect(fresh.take("b")?.toString()).toBe("2");
  expect(fresh.take("b")).toBeUndefined();
  expect(fresh.take("a")?.toString()).toBe("1");
});

test("what came before leaves before: when all room is taken the newest are not kept, until the old ones are too old", () => {
  let now = 0;
  const fresh = new FreshBytes(() => now);
  for (let i = 0; i < 10; i += 1) fresh.keep(String(i), Buffer.alloc(MiB));
  expect(fresh.take("0")).toBeDefined();
  expect(fresh.take("9")).toBeUndefined();
  fresh.keep("10", Buffer.alloc(MiB));
  expect(fresh.take("10")).toBeDefined();
  now = 15_000;
  fresh.keep("11", Buffer.alloc(8 * MiB));
  expect(fresh.take("1")).toBeUndefined();
  expect(fresh.take("11")).toBeDefined();
});
