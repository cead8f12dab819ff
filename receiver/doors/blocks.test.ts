import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BLOCK, gatherBlocks } from "./blocks.ts";

/** A piece as Node's parser makes it: all of its memory is its own. */
const own = (bytes: Uint8Array): Buffer => {
  const piece = Buffer.allocUnsafeSlow(bytes.length);
  piece.set(bytes);
  return piece;
};

test("whatever the pieces and whenever a block is asked for, the bytes come out in order, a block at a time", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.nat(3 * BLOCK), asked: fc.nat(3) }), { maxLength: 12 }),
      fc.boolean(),
      (pieces, declared) => {
        const bytes = randomBytes(pieces.reduce((sum, piece) => sum + piece.bytes, 0));
        const blocks = gatherBlocks(declared ? bytes.length : undefined);
        const out: Buffer[] = [];
        const take = (last: boolean): boolean => {
          const block = blocks.next(last);
          if (block === undefined) return false;
          expect(block.length).toBeLessThanOrEqual(BLOCK);
          out.push(Buffer.from(block));
          return true;
        };
        let at = 0;
        for (const piece of pieces) {
          blocks.add(own(bytes.subarray(at, at + piece.bytes)));
          at += piece.bytes;
          for (let i = 0; i < piece.asked; i += 1) take(false);
        }
        while (take(true));
        blocks.end();
        expect(Buffer.concat(out).equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test("it says when a block is full, and when nothing more should come", () => {
  const blocks = gatherBlocks(undefined);
  blocks.add(own(Buffer.alloc(BLOCK - 1)));
  expect([blocks.ready, blocks.overflows]).toEqual([false, false]);
  blocks.add(own(Buffer.alloc(1)));
  expect([blocks.ready, blocks.overflows]).toEqual([true, false]);
  blocks.add(own(Buffer.alloc(BLOCK + 1)));
  expect([blocks.ready, blocks.overflows]).toEqual([true, true]);
  expect(blocks.next(false)?.length).toBe(BLOCK);
  expect(blocks.next(false)?.length).toBe(BLOCK);
  expect([blocks.ready, blocks.overflows]).toEqual([false, false]);
  expect(blocks.next(false)).toBeUndefined();
  expect(blocks.next(true)?.length).toBe(1);
  expect(blocks.next(true)).toBeUndefined();
  blocks.end();
});

test("a piece's memory is given back at once; a slice of Node's pool is left alone", () => {
  const blocks = gatherBlocks(100);
  const piece = own(Buffer.from("its own"));
  const pooled = Buffer.from("of the pool");
  const { buffer } = pooled;
  blocks.add(piece);
  blocks.add(pooled);
  expect(piece.length).toBe(0);
  expect(buffer.byteLength).toBeGreaterThan(0);
  expect(blocks.next(true)?.toString()).toBe("its ownof the pool");
});

test("a small body takes no more than its size", () => {
  const blocks = gatherBlocks(10);
  blocks.add(own(Buffer.alloc(10)));
  expect(blocks.next(false)?.buffer.byteLength).toBe(10);
});
