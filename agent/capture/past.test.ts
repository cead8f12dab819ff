import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENDED, type Seen } from "../queue/queue.ts";
import type { FileState } from "../source/state.ts";
import { heldOf, isBrought, nextOf as ofAll } from "./past.ts";

const state = (id: number, second = id): FileState => ({
  size: id,
  mtimeNs: BigInt(second) * 1_000_000_000n,
  ctimeNs: 0n,
  fileId: BigInt(id),
});
const version = (id: number, second?: number) => ({ state: state(id, second), deleted: false });
const end = (id: number, second?: number) => ({ state: state(id, second), deleted: true });
const seen = (of: FileState, missed = 0): Seen => ({
  path: Buffer.from("x"),
  state: of,
  sha256: "",
  sealedAt: 0,
  missed,
});

/** Without what was passed over. */
function nextOf(...asked: Parameters<typeof ofAll>) {
  const next = ofAll(...asked);
  return next && { state: next.state, deleted: next.deleted };
}

describe("the next of the versions that a source keeps", () => {
  test("of a path that was never seen: its first version; an end before it ends nothing", () => {
    expect(nextOf([version(1), version(2)], undefined)).toEqual(version(1));
    expect(nextOf([end(1), version(2)], undefined)).toEqual(version(2));
    expect(nextOf([end(1)], undefined)).toBeUndefined();
  });

  test("each after the other, ends included", () => {
    const past = [version(1), end(2), version(3), end(4)];
    expect(nextOf(past, seen(state(1)))).toEqual(end(2));
    expect(nextOf(past, seen(state(2), ENDED))).toEqual(version(3));
    expect(nextOf(past, seen(state(3)))).toEqual(end(4));
    expect(nextOf(past, seen(state(4), ENDED))).toBeUndefined();
  });

  test("an end behind an end is none", () => {
    const past = [version(1), end(2), end(3), version(4)];
    expect(nextOf(past, seen(state(2), ENDED))).toEqual(version(4));
    expect(nextOf(past.slice(0, 3), seen(state(2), ENDED))).toBeUndefined();
    expect(nextOf(past.slice(0, 3), seen(state(1), ENDED))).toBeUndefined();
  });

  test("where the last that was brought is kept no more, time tells what is younger", () => {
    expect(nextOf([version(5), version(6)], seen(state(4)))).toEqual(version(5));
    expect(nextOf([version(2), version(6)], seen(state(4)))).toEqual(version(6));
    expect(nextOf([version(2)], seen(state(4)))).toBeUndefined();
  });

  test("what another agent brought is known by size and time", () => {
    const taken = { ...state(1), fileId: undefined };
    expect(nextOf([version(1), version(2)], seen(taken))).toEqual(version(2));
  });

  test("what cannot be had is passed over, and said; the newest is waited for", () => {
    const held = (id: number) => ({ ...version(id), held: `${id} is archived` });
    const past = [held(1), version(2), held(3), end(4), held(5), version(6), held(7)];
    const after = (of: FileState, missed = 0) => ofAll(past, seen(of, missed));
    expect(ofAll(past, undefined)).toEqual({ ...version(2), passed: ["1 is archived"] });
    expect(after(state(2))).toEqual({ ...end(4), passed: ["3 is archived"] });
    expect(after(state(4), ENDED)).toEqual({ ...version(6), passed: ["5 is archived"] });
    expect(after(state(6))).toBeUndefined();
    expect(heldOf(past, seen(state(6)))).toBe("7 is archived");
    expect(heldOf(past, seen(state(7)))).toBeUndefined();
    expect(heldOf([held(1), end(2)], undefined)).toBe("1 is archived");
    expect(heldOf([version(1), end(2)], seen(state(2), ENDED))).toBeUndefined();
    expect(ofAll([version(2), held(3)], seen(state(3)))).toBeUndefined();
    expect(isBrought([version(2), held(3)], seen(state(3)))).toBe(true);
  });

  test("property: whatever is added meanwhile, all are brought, once, in their order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ deleted: fc.boolean(), before: fc.boolean() }), { maxLength: 30 }),
        (all) => {
          const kept = all.map(({ deleted }, i) => ({ state: state(i + 1, 1), deleted }));
          const first = kept.findIndex(({ deleted }) => !deleted);
          const brought: typeof kept = [];
          let known: Seen | undefined;
          for (let there = 1; there <= kept.length; there += 1) {
            if (all[there - 1]?.before === false) continue;
            for (let next = nextOf(kept.slice(0, there), known); next !== undefined; ) {
              brought.push(next);
              known = seen(next.state, next.deleted ? ENDED : 0);
              next = nextOf(kept.slice(0, there), known);
            }
          }
          const last = all.findLastIndex(({ before }) => before);
          const told = kept.filter(
            ({ deleted }, i) => !deleted || (i > first && kept[i - 1]?.deleted === false),
          );
          expect(brought).toEqual(
            first === -1 || first > last ? [] : told.filter(({ state }) => state.size <= last + 1),
          );
        },
      ),
    );
  });
});
