import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Spool } from "./spool.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spool-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** As many copies of one byte as it gets. */
function fill(room: { draft(size: number): unknown }): number {
  for (let count = 0; ; count += 1) if (room.draft(1) === undefined) return count;
}

test("a source alone has all of it", () => {
  expect(fill(new Spool(home, 100, new Map()).of("a/x"))).toBe(100);
});

test("of several, one whose parcels do not leave keeps nobody else out, and no file out for ever", () => {
  const spool = new Spool(home, 100, new Map());
  const [one, two, three] = [spool.of("a/x"), spool.of("b/x"), spool.of("c/x")];
  expect(fill(one)).toBe(80);
  expect(two.draft(18)).toBeDefined();
  expect(two.fits(1)).toBe(false);
  expect(three.draft(2)).toBeDefined();
  expect(spool.used).toBe(100);
  const empty = new Spool(home, 100, new Map());
  empty.of("b/x");
  expect(empty.of("a/x").draft(1_000)).toBeDefined();
});

test("after a restart each has what its parcels still need; what rests counts for nobody", () => {
  for (const name of ["1", "2", "3"]) writeFileSync(join(home, name), Buffer.alloc(40));
  const spool = new Spool(
    home,
    100,
    new Map([
      ["1", "a/x"],
      ["2", "a/x"],
    ]),
    new Set(["3"]),
  );
  const [one, two] = [spool.of("a/x"), spool.of("b/x")];
  expect(spool.used).toBe(120);
  expect(one.fits(1)).toBe(false);
  expect(two.draft(20)).toBeDefined();
  expect(spool.rests("3")).toBe(false);
  expect(spool.used).toBe(100);
});
