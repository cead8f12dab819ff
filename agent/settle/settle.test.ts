import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sameState } from "../source/same-state.ts";
import type { FileState, Tells } from "../source/state.ts";
import {
  mayHaveChangedUnseen,
  type SettleRules,
  type Settling,
  settle,
  settleTime,
  stateAfterSnapshot,
} from "./settle.ts";

const rules: SettleRules = { settleMs: 100, snapshotMs: undefined, restlessMs: 1000 };
const state = (more: Partial<FileState> = {}): FileState => ({
  size: 1,
  mtimeNs: 1n,
  ctimeNs: 1n,
  fileId: 1n,
  ...more,
});

/** Looks one after the other: [ms, state]. */
function looks(sights: readonly (readonly [number, FileState])[], by: SettleRules = rules) {
  let before: Settling | undefined;
  return sights.map(([now, seen]) => {
    const step = settle(before, seen, now, by);
    before = step.next;
    return step;
  });
}

const HERE: Tells = { hostTimes: true, coarseMs: 0, staleMs: 0, contentIds: false };
const SHARE: Tells = { hostTimes: false, coarseMs: 2_000, staleMs: 0, contentIds: false };
const BUCKET: Tells = { hostTimes: false, coarseMs: 0, staleMs: 0, contentIds: true };

describe("to settle", () => {
  test.for([
    ["one look is not enough", [[0, state()]], "wait"],
    [
      "two looks, too soon",
      [
        [0, state()],
        [99, state()],
      ],
      "wait",
    ],
    [
      "two looks apart",
      [
        [0, state()],
        [100, state()],
      ],
      "settled",
    ],
    [
      "another size",
      [
        [0, state()],
        [100, state({ size: 2 })],
      ],
      "wait",
    ],
    [
      "another mtime",
      [
        [0, state()],
        [100, state({ mtimeNs: 2n })],
      ],
      "wait",
    ],
    [
      "another ctime",
      [
        [0, state()],
        [100, state({ ctimeNs: 2n })],
      ],
      "wait",
    ],
    [
      "another file",
      [
        [0, state()],
        [100, state({ fileId: 2n })],
      ],
      "wait",
    ],
    [
      "file ids that are not trusted",
      [
        [0, state({ fileId: undefined })],
        [100, state({ fileId: undefined })],
      ],
      "settled",
    ],
    [
      "back to what it was",
      [
        [0, state()],
        [50, state({ size: 2 })],
        [100, state()],
      ],
      "wait",
    ],
    [
      "a change counts from when it was seen",
      [
        [0, state()],
        [90, state({ size: 2 })],
        [189, state({ size: 2 })],
      ],
      "wait",
    ],
    [
      "…and then it settles",
      [
        [0, state()],
        [90, state({ size: 2 })],
        [190, state({ size: 2 })],
      ],
      "settled",
    ],
  ] as const)("%s", ([, sights, act]) => {
    expect(looks(sights).at(-1)?.act).toBe(act);
  });

  test("a restless file is said once, and captured only when the source says so", () => {
    const moving = Array.from({ length: 40 }, (_, i) => [i * 50, state({ size: i })] as const);
    const plain = looks(moving);
    expect(plain.filter((step) => step.restless)).toHaveLength(1);
    expect(plain.every((step) => step.act === "wait")).toBe(true);
    expect(looks(moving, { ...rules, snapshotMs: 500 }).findIndex((step) => step.act === "snapshot")).toBe(
      10,
    );
  });

  test("settled means: the last looks over at least settleMs were all equal; due is when that can be", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(150), fc.nat(2)), { minLength: 1 }), (gaps) => {
        let now = 0;
        const sights = gaps.map(([gap, size]) => {
          now += gap;
          return [now, state({ size })] as const;
        });
        looks(sights).forEach((step, i) => {
          const [at, seen] = sights[i]!;
          let since = at;
          for (let j = i; j >= 0 && sameState(sights[j]![1], seen); j -= 1) since = sights[j]![0];
          expect(step.act === "settled").toBe(at - since >= rules.settleMs);
          expect(step.due).toBe(since + rules.settleMs);
        });
      }),
    );
  });

  test.for([
    [0, true],
    [1999, true],
    [2001, false],
    [-3_600_000, false],
  ] as const)("sealed %i ms after its last change: read once more? %s", ([ms, expected]) => {
    const changed = 1_700_000_000_000;
    const of = state({ mtimeNs: BigInt(changed) * 1_000_000n, ctimeNs: 1n });
    expect(mayHaveChangedUnseen(HERE, of, changed + ms)).toBe(expected);
    // A share's clock tells nothing here, however it agrees.
    expect(mayHaveChangedUnseen(SHARE, of, changed + ms)).toBe(false);
  });

  test("what holds still settles, and is no snapshot, however short a time snapshots are taken after", () => {
    const early = { ...rules, snapshotMs: 10 };
    const first = settle(undefined, state(), 0, early).next;
    expect(settle(first, state(), 50, early).act).toBe("wait");
    expect(settle(first, state(), 100, early).act).toBe("settled");
    expect(settle(first, state({ size: 99 }), 50, early).act).toBe("snapshot");
  });

  test.for([
    [50, "a share", SHARE, 2_000],
    [2_000, "a share", SHARE, 2_000],
    [60_000, "a share", SHARE, 60_000],
    [50, "here", HERE, 50],
    [60_000, "a bucket", BUCKET, 0],
    [50, "minutes and an id", { ...BUCKET, coarseMs: 61_000 }, 61_000],
  ] as const)("settle: %i ms, %s: a file holds still for %i ms", ([settle, , tells, ms]) => {
    expect(settleTime(settle, tells)).toBe(ms);
  });

  test("a snapshot of a file on a share is not what the file is remembered by", () => {
    const local = state({ fileId: 7n });
    expect(sameState(stateAfterSnapshot(HERE, local), local)).toBe(true);
    const shared = state({ fileId: undefined });
    expect(sameState(stateAfterSnapshot(SHARE, shared), shared)).toBe(false);
  });
});
