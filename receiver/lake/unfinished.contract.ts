/** What every lake must do with files that come in pieces of any order. `reopen` gives a new adapter over the same store, as after a kill. */
import { hash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type LakeUnderTest, someKey } from "./lake.contract.ts";
import type { AnyLake, UnfinishedFile } from "./lake.ts";

const KiB = 1024;

async function keptOf(lake: AnyLake): Promise<ReadonlyMap<string, UnfinishedFile>> {
  const kept = await Array.fromAsync(lake.kept());
  return new Map(kept.map(({ note, open }) => [note, open(() => note)]));
}

/** As it comes over a wire: a buffer of its own for each piece. */
async function writeInOrder(file: UnfinishedFile, bytes: Buffer, piece = 32 * KiB, from = 0): Promise<void> {
  for (let at = from; at < bytes.length; at += piece)
    await file.write(Buffer.from(bytes.subarray(at, at + piece)), at);
}

export function unfinishedContract(name: string, open: () => Promise<LakeUnderTest>): void {
  describe(`${name}, files in pieces`, () => {
    let made: LakeUnderTest;
    let lake: AnyLake;
    beforeAll(async () => {
      made = await open();
      lake = made.lake;
    }, 60_000);

    const published = async (file: UnfinishedFile): Promise<Buffer> => {
      const key = someKey();
      const staged = await file.finish();
      const { sha256, size } = staged;
      await lake.publish(staged, key, {});
      await file.discard();
      const bytes = Buffer.concat((await (await lake.read(key))?.toArray()) ?? []);
      expect({ sha256: hash("sha256", bytes), size: bytes.length }).toEqual({ sha256, size });
      return bytes;
    };

    test.for([0, 1, 256 * KiB, 256 * KiB + 1, 700_001, 3 * 1024 * KiB])("%d bytes in order", async (size) => {
      const bytes = randomBytes(size);
      const file = lake.unfinished(() => "");
      await writeInOrder(file, bytes);
      expect(file.size).toBe(size);
      expect((await published(file)).equals(bytes)).toBe(true);
      expect(await made.leftovers()).toBe(0);
    });

    test("in any order, some of it twice", async () => {
      const bytes = randomBytes(900_000);
      const file = lake.unfinished(() => "");
      for (const at of [800_000, 0, 400_000, 100_000, 400_000, 200_000, 300_000, 500_000, 600_000, 700_000])
        await file.write(Buffer.from(bytes.subarray(at, at + 100_000)), at);
      expect((await published(file)).equals(bytes)).toBe(true);
      expect(await made.leftovers()).toBe(0);
    });

    test("no bytes make it no longer, wherever they are written", async () => {
      const file = lake.unfinished(() => "");
      await file.write(Buffer.alloc(0), 2);
      await file.write(Buffer.from("a"), 0);
      await file.write(Buffer.alloc(0), 300_000);
      expect([file.size, file.missing()]).toEqual([1, undefined]);
      expect(await published(file)).toEqual(Buffer.from("a"));
    });

    test("what was never written is no file", async () => {
      const file = lake.unfinished(() => "");
      await file.write(Buffer.from("begin"), 0);
      await file.write(Buffer.from("end"), 500_000);
      expect(file.missing()).toEqual({ start: 5, end: 500_000 });
      await expect(file.finish()).rejects.toMatchObject({ code: "length-mismatch" });
      await file.discard();
      expect(await made.leftovers()).toBe(0);
    });

    test("what it is made longer by are zeros", async () => {
      const file = lake.unfinished(() => "");
      await file.write(Buffer.from("begin"), 0);
      await file.resize(8);
      expect((await published(file)).toString("latin1")).toBe("begin\0\0\0");
    });

    test("kept, gone on with after a kill, and whole", async () => {
      if (made.reopen === undefined) return;
      const bytes = randomBytes(1_000_000);
      const file = lake.unfinished(() => "kept");
      await writeInOrder(file, bytes.subarray(0, 600_000));
      await file.keep();
      // More came, and is lost or not.
      await file.write(Buffer.from(bytes.subarray(600_000, 900_000)), 600_000);
      lake = await made.reopen();
      const found = (await keptOf(lake)).get("kept") as UnfinishedFile;
      expect(found.size).toBeGreaterThanOrEqual(600_000);
      expect((await found.read(0, found.size)).equals(bytes.subarray(0, found.size))).toBe(true);
      await writeInOrder(found, bytes, 32 * KiB, found.size);
      expect((await published(found)).equals(bytes)).toBe(true);
      expect((await keptOf(await made.reopen())).size).toBe(0);
      expect(await made.leftovers()).toBe(0);
    });

    test("with gaps, only what was kept is known after a kill", async () => {
      if (made.reopen === undefined) return;
      const file = lake.unfinished(() => "gaps");
      await file.write(randomBytes(300_000), 0);
      await file.write(randomBytes(300_000), 600_000);
      lake = await made.reopen();
      expect([...(await keptOf(lake)).keys()]).toEqual([]);
      const other = lake.unfinished(() => "gaps");
      await other.write(randomBytes(300_000), 0);
      await other.write(randomBytes(300_000), 600_000);
      await other.keep();
      await other.write(randomBytes(300_000), 1_200_000);
      lake = await made.reopen();
      const kept = (await keptOf(lake)).get("gaps");
      expect(kept?.size).toBe(900_000);
      expect(kept?.missing()).toEqual({ start: 300_000, end: 600_000 });
      await kept?.discard();
      expect(await made.leftovers()).toBe(0);
    });

    test("does as a file would, whatever is done to it", async () => {
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), size: fc.nat(400_000) }) },
        fc.record({ kind: fc.constant("write" as const), at: fc.nat(900_000), size: fc.nat(300_000) }),
        fc.record({ kind: fc.constant("resize" as const), at: fc.oneof(fc.constant(0), fc.nat(900_000)) }),
        fc.record({ kind: fc.constant("read" as const), at: fc.nat(900_000), size: fc.nat(300_000) }),
        fc.record({ kind: fc.constant("keep" as const) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const file = lake.unfinished(() => "");
          let model = Buffer.alloc(0);
          for (const one of steps) {
            if (one.kind === "append" || one.kind === "write") {
              const at = one.kind === "append" ? model.length : one.at;
              const bytes = randomBytes(one.size);
              await file.write(Buffer.from(bytes), at);
              if (one.size === 0) continue;
              const grown = Buffer.alloc(Math.max(model.length, at + one.size));
              model.copy(grown);
              bytes.copy(grown, at);
              model = grown;
            } else if (one.kind === "resize") {
              await file.resize(one.at);
              const cut = Buffer.alloc(one.at);
              model.copy(cut);
              model = cut;
            } else if (one.kind === "read") {
              const there = await file.read(one.at, one.size);
              expect(there.equals(model.subarray(one.at, one.at + one.size))).toBe(true);
            } else await file.keep();
            expect(file.size).toBe(model.length);
          }
          if (file.missing() === undefined) expect((await published(file)).equals(model)).toBe(true);
          else await file.discard();
        }),
        { numRuns: 40 },
      );
      expect(await made.leftovers()).toBe(0);
    }, 60_000);
  });
}
