import { createHash } from "node:crypto";
import { PARTS } from "@tributary/shared/protocol.ts";
import { afterEach, expect, test } from "vitest";
import { BESIDE_FROM, IN_PARTS_FROM, type PartDigests, PartHasher } from "./part-hasher.ts";

const hasher = new PartHasher();
afterEach(() => hasher.stop());

const sha = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const content = (size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4096) bytes.writeUInt32BE(i, i);
  return bytes;
};
const expected = (bytes: Buffer): Buffer => {
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PARTS.smallest)
    digests.push(sha(bytes.subarray(at, at + PARTS.smallest)));
  return Buffer.concat(digests);
};

/** As sealing does: one half after the other, never beyond the end of a part. */
async function feed(parts: PartDigests, bytes: Buffer, until = bytes.length): Promise<void> {
  const half = parts.buffer.length >> 1;
  let side = 0;
  for (let at = 0; at < until; side = 1 - side) {
    const count = Math.min(half, bytes.length - at, parts.toPartEnd(at));
    bytes.copy(parts.buffer, side * half, at, at + count);
    await parts.add(side * half, side * half + count);
    at += count;
  }
}

test.for([IN_PARTS_FROM, IN_PARTS_FROM + 1, BESIDE_FROM, BESIDE_FROM + 5_000_001])(
  "%i bytes: the digest of each part",
  async (size) => {
    const bytes = content(size);
    using parts = hasher.begin(size, Buffer.alloc(1_000_000));
    await feed(parts!, bytes);
    expect(parts!.all()?.equals(expected(bytes))).toBe(true);
  },
);

test("a file that goes whole has no parts", () => {
  expect(hasher.begin(IN_PARTS_FROM - 1, Buffer.alloc(10))).toBeUndefined();
});

test("a file that was given up leaves nothing to the next; two at once do not meet", async () => {
  const bytes = content(BESIDE_FROM);
  const first = hasher.begin(bytes.length, Buffer.alloc(1_000_000))!;
  await feed(first, bytes, 3_000_000);
  expect(first.all()).toBeUndefined();
  using other = hasher.begin(bytes.length, Buffer.alloc(1_000_000))!;
  await feed(other, bytes);
  expect(other.all()?.equals(expected(bytes))).toBe(true);
  first[Symbol.dispose]();
  using next = hasher.begin(bytes.length, Buffer.alloc(1_000_000))!;
  await feed(next, bytes);
  expect(next.all()?.equals(expected(bytes))).toBe(true);
});

test("a thread that ended midway: no digests, and the next file has them again", async () => {
  const bytes = content(BESIDE_FROM);
  const broken = hasher.begin(bytes.length, Buffer.alloc(1_000_000))!;
  // Outside of the shared memory: the thread throws.
  await broken.add(-1, Number.NaN);
  await broken.add(0, 2 ** 40);
  broken[Symbol.dispose]();
  hasher.stop();
  expect(broken.all()).toBeUndefined();
  using next = hasher.begin(bytes.length, Buffer.alloc(1_000_000))!;
  await feed(next, bytes);
  expect(next.all()?.equals(expected(bytes))).toBe(true);
});
