import fc from "fast-check";
import { expect, test } from "vitest";
import { Extents, requireNothingMissing } from "./extents.ts";

const MOST = 60;
const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ start: fc.nat(MOST), length: fc.nat(12) }) },
  fc.record({ cut: fc.nat(MOST) }),
);

test("what was written is known byte for byte, in any order", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const extents = new Extents();
      const written = new Set<number>();
      for (const one of acts) {
        if ("cut" in one) {
          extents.cut(one.cut);
          for (const at of [...written]) if (at >= one.cut) written.delete(at);
        } else {
          extents.add(one.start, one.start + one.length);
          for (let at = one.start; at < one.start + one.length; at += 1) written.add(at);
        }
        const known = extents.ranges.flatMap(({ start, end }) =>
          Array.from({ length: end - start }, (_, i) => start + i),
        );
        expect(known).toEqual([...written].toSorted((a, b) => a - b));
        // Apart from one another, and none of them empty.
        for (const [i, { start, end }] of extents.ranges.entries()) {
          expect(end).toBeGreaterThan(start);
          expect(start).toBeGreaterThan(extents.ranges[i - 1]?.end ?? -1);
        }
        for (const size of [0, 1, 20, MOST + 12]) {
          const first = Array.from({ length: size }, (_, at) => at).find((at) => !written.has(at));
          expect(extents.missing(size)?.start).toBe(first);
        }
      }
      expect(new Extents(extents.ranges).ranges).toEqual(extents.ranges);
    }),
  );
});

test("a gap is named, and nothing else is one", () => {
  const extents = new Extents();
  extents.add(0, 10);
  extents.add(20, 30);
  expect(extents.missing(30)).toEqual({ start: 10, end: 20 });
  expect(extents.missing(40)).toEqual({ start: 10, end: 20 });
  expect(() => requireNothingMissing(extents.missing(30))).toThrow(/bytes 10 to 19/);
  extents.add(10, 20);
  expect(extents.ranges).toEqual([{ start: 0, end: 30 }]);
  expect(extents.missing(31)).toEqual({ start: 30, end: 31 });
  expect(() => requireNothingMissing(extents.missing(30))).not.toThrow();
});

test("ten thousand pieces apart are kept, and no more; what fills a gap always is", () => {
  const extents = new Extents();
  for (let at = 0; at < 10_000; at += 1) extents.add(3 * at, 3 * at + 1);
  expect(() => extents.add(30_000, 30_001)).toThrow(/apart in 10000 places, .*send it again in order/);
  expect(() => extents.add(31, 32)).not.toThrow();
  expect(extents.ranges).toHaveLength(10_000);
  extents.add(1, 3);
  expect(extents.ranges).toHaveLength(9999);
  extents.add(30_000, 30_001);
  expect(extents.missing(30_001)).toEqual({ start: 4, end: 6 });
});
