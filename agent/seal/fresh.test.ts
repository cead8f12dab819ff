import { beforeEach, expect, test } from "vitest";
import { FreshBytes } from "./fresh.ts";

let now: number;
let fresh: FreshBytes;
beforeEach(() => {
  now = 0;
  fresh = new FreshBytes(() => now);
});

test("what was kept is given once, to its own capture", () => {
  const [a, b] = [Buffer.from("a"), Buffer.from("b")];
  fresh.keep("a", a);
  fresh.keep("b", b);
  expect(fresh.take("c")).toBeUndefined();
  expect(fresh.take("b")).toBe(b);
  expect(fresh.take("b")).toBeUndefined();
  expect(fresh.take("a")).toBe(a);
});

test("beyond its bound nothing is kept, and what leaves makes room", () => {
  const mebibyte = Buffer.alloc(2 ** 20);
  for (let i = 0; i < 9; i += 1) fresh.keep(`${i}`, mebibyte);
  expect(fresh.take("8")).toBeUndefined();
  expect(fresh.take("0")).toBe(mebibyte);
  fresh.keep("9", mebibyte);
  expect(fresh.take("9")).toBe(mebibyte);
});

test("what nobody came for gives way to what comes later", () => {
  const half = Buffer.alloc(4 * 2 ** 20);
  fresh.keep("old", half);
  now = 10_000;
  fresh.keep("younger", half);
  fresh.keep("too much", half);
  expect(fresh.take("too much")).toBeUndefined();
  now = 15_000;
  fresh.keep("new", half);
  expect(fresh.take("old")).toBeUndefined();
  expect(fresh.take("younger")).toBe(half);
  expect(fresh.take("new")).toBe(half);
});

test("however many came and went, all of its room is there again", () => {
  const bytes = Buffer.alloc(2 ** 20);
  for (let i = 0; i < 100; i += 1) {
    fresh.keep(`${i}`, bytes);
    if (i % 2 === 0) fresh.take(`${i}`);
    now += 1_000;
  }
  now += 15_000;
  for (let i = 0; i < 8; i += 1) fresh.keep(`last ${i}`, bytes);
  for (let i = 0; i < 8; i += 1) expect(fresh.take(`last ${i}`), `${i}`).toBe(bytes);
});
