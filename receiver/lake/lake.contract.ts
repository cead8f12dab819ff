/** What every lake must do, whatever lies beneath. `reopen` gives a new adapter over the same store, as after a kill. */
import { createHash, randomBytes } from "node:crypto";
import { encodePath } from "@tributary/shared/path.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { objectKey } from "./key.ts";
import type { AnyLake, PartUpload, StoredPart } from "./lake.ts";

export interface LakeUnderTest {
  readonly lake: AnyLake;
  /** Undefined where nothing outlives the adapter. */
  readonly reopen?: () => Promise<AnyLake>;
  /** Staged bytes that are still held: files, or counted. */
  readonly leftovers: () => Promise<number>;
  /** Takes the claim away (undefined) or writes another; gives what stood there. Undefined where there is none. */
  readonly setClaim?: (text: string | undefined) => Promise<string>;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export async function* chunked(bytes: Uint8Array, size = 16 * KiB): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function someKey(path: string | Uint8Array = "a.csv"): string {
  const bytes = typeof path === "string" ? Buffer.from(path) : path;
  return objectKey({
    client: "demo",
    source: "pos",
    date: "2026-01-02",
    versionId: uuidv7(),
    pathEncoded: encodePath(bytes),
  });
}

async function readAll(lake: AnyLake, key: string, range?: { start: number; end: number }) {
  const stream = await lake.read(key, range);
  return stream === undefined ? undefined : Buffer.concat(await stream.toArray());
}

async function keys(lake: AnyLake, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(lake.list(prefix))).map((object) => object.key).toSorted();
}

/** `partSize`: S3 takes no part under 5 MiB but the last. */
export function lakeContract(name: string, open: () => Promise<LakeUnderTest>, partSize = 5 * MiB): void {
  describe(`${name}, a lake`, () => {
    let made: LakeUnderTest;
    let lake: AnyLake;
    beforeAll(async () => {
      made = await open();
      lake = made.lake;
    }, 60_000);

    const put = async (bytes: Uint8Array, key: string): Promise<void> =>
      lake.publish(await lake.stage(chunked(bytes)), key, { captureId: uuidv7(), name: "Zoë" });

    test("the probe says what the store does", async () => {
      const lines = await lake.probe();
      expect(lines.length).toBeGreaterThan(0);
      await lake.check();
      expect((await lake.free()) ?? 1).toBeGreaterThan(0);
      expect(await keys(lake, "")).toEqual([]);
    });

    test("it is not healthy while its claim is gone or is another's, and is again when that is back", async () => {
      const { setClaim } = made;
      if (setClaim === undefined) return;
      const own = await setClaim(undefined);
      await expect(lake.check()).rejects.toMatchObject({
        code: "lake-unavailable",
        message: expect.stringMatching(/no lake in/),
      });
      for (const other of [{ site: "another" }, { lake: "another" }]) {
        await setClaim(JSON.stringify({ ...JSON.parse(own), ...other }));
        await expect(lake.check()).rejects.toMatchObject({
          code: "lake-unavailable",
          message: expect.stringMatching(/another one now/),
        });
      }
      await setClaim("{");
      await expect(lake.check()).rejects.toMatchObject({
        code: "lake-unavailable",
        message: expect.stringMatching(/is damaged/),
      });
      await setClaim(own);
      await lake.check();
    });

    test.for([0, 1, 256 * KiB - 1, 256 * KiB, 256 * KiB + 1, 20 * MiB])(
      "%d bytes come back as they were",
      async (size) => {
        const bytes = randomBytes(size);
        const staged = await lake.stage(chunked(bytes, 16_381));
        expect(staged).toMatchObject({ size, sha256: sha256(bytes) });
        const key = someKey();
        expect(await lake.read(key)).toBeUndefined();
        await lake.publish(staged, key, {});
        expect((await readAll(lake, key))?.equals(bytes)).toBe(true);
        expect(await made.leftovers()).toBe(0);
      },
    );

    test.for([
      ["Zoë/日本語/файл.csv"],
      ["100%/a=b+c d.csv"],
      ["~tilde~/~"],
      ["trailing./CON.txt"],
      ["line\nfeed\\back"],
      ["\uFFFE\u0085.txt"],
      [Buffer.from([0xff, 0xfe, 0x2f, 0x41])],
      [`${"ä".repeat(127)}.parquet`],
      [`${"long folder/".repeat(120)}end.csv`],
      ["%41/A"],
    ] as [string | Uint8Array][])("the odd name %o is a key like any other", async ([path]) => {
      const key = someKey(path);
      await put(Buffer.from("odd"), key);
      expect(await readAll(lake, key)).toEqual(Buffer.from("odd"));
      expect(await keys(lake, key)).toEqual([key]);
      await lake.remove(key);
      expect(await lake.read(key)).toBeUndefined();
    });

    test("a range has both its ends", async () => {
      const bytes = randomBytes(300 * KiB);
      const key = someKey();
      await put(bytes, key);
      for (const [start, end] of [
        [0, 0],
        [5, 299_999],
        [bytes.length - 1, bytes.length - 1],
      ] as const) {
        expect((await readAll(lake, key, { start, end }))?.equals(bytes.subarray(start, end + 1))).toBe(true);
      }
    });

    test.for([10, 3 * MiB])("%d discarded bytes leave nothing", async (size) => {
      const staged = await lake.stage(chunked(randomBytes(size)));
      if (size > MiB) expect(await made.leftovers()).toBe(1);
      await staged.discard();
      await staged.discard();
      expect(await made.leftovers()).toBe(0);
    });

    test.for([10, 3 * MiB])(
      "a stream that breaks after %d bytes gives its own error and leaves nothing",
      async (size) => {
        const broken = async function* (): AsyncGenerator<Uint8Array> {
          yield* chunked(randomBytes(size));
          throw new Error("the network went");
        };
        await expect(lake.stage(broken())).rejects.toThrow("the network went");
        expect(await made.leftovers()).toBe(0);
      },
    );

    test.for([0, 10, 3 * MiB])(
      "%d staged bytes can be read again before they are published",
      async (size) => {
        const bytes = randomBytes(size);
        const staged = await lake.stage(chunked(bytes));
        for (const _ of [1, 2])
          expect(Buffer.concat(await Array.fromAsync(staged.bytes())).equals(bytes)).toBe(true);
        const key = someKey();
        await lake.publish(staged, key, {});
        expect((await readAll(lake, key))?.equals(bytes)).toBe(true);
      },
    );

    test.for([
      ["a.csv", 10],
      ["empty", 0],
      ["Zoë/100%/a=b+c d.csv", 6 * MiB],
      [Buffer.from([0xff, 0xfe, 0x2f, 0x41]), 10],
    ] as [string | Uint8Array, number][])(
      "out of quarantine: %o of %d bytes gets a second key, and loses the first",
      async ([path, size]) => {
        const bytes = randomBytes(size);
        const to = someKey(path);
        const from = to.replace(/^raw/, "quarantine");
        await put(bytes, from);
        await lake.copy(from, to);
        await lake.copy(from, to);
        expect(await keys(lake, to)).toEqual([to]);
        await lake.remove(from);
        expect(await keys(lake, from)).toEqual([]);
        expect((await readAll(lake, to))?.equals(bytes)).toBe(true);
        expect(await made.leftovers()).toBe(0);
        const nothing = { code: "lake-unavailable" };
        await expect(lake.copy(from, someKey())).rejects.toMatchObject(nothing);
        expect(await made.leftovers()).toBe(0);
      },
    );

    test("a second key never replaces other bytes", async () => {
      const [from, to] = [someKey("from"), someKey("to")];
      await put(Buffer.from("one more byte"), from);
      await put(Buffer.from("other bytes"), to);
      await expect(lake.copy(from, to)).rejects.toThrow("overwritten");
      expect(await readAll(lake, to)).toEqual(Buffer.from("other bytes"));
    });

    test("staged bytes are consumed once", async () => {
      const staged = await lake.stage(chunked(Buffer.from("once")));
      await lake.publish(staged, someKey(), {});
      await expect(lake.publish(staged, someKey(), {})).rejects.toThrow("consumed");
    });

    test("a key is written once: the same bytes again are fine, others are refused", async () => {
      const key = someKey("once.csv");
      await put(Buffer.from("first"), key);
      await put(Buffer.from("first"), key);
      await Promise.all([put(Buffer.from("first"), key), put(Buffer.from("first"), key)]);
      await expect(put(Buffer.from("other"), key)).rejects.toThrow("taken by other bytes");
      expect(await readAll(lake, key)).toEqual(Buffer.from("first"));
      expect(await made.leftovers()).toBe(0);
    });

    test("manifest segments lie beside the versions, and are listed by prefix", async () => {
      const ids = [uuidv7(), uuidv7()].map((id) => `manifest/date=2026-01-02/${id}.jsonl`);
      for (const key of ids) await put(Buffer.from("{}\n"), key);
      await put(Buffer.from("{}\n"), ids[0] as string);
      expect(await keys(lake, "manifest/")).toEqual(ids);
      expect(await keys(lake, (ids[0] as string).slice(0, -8))).toEqual([ids[0]]);
      expect(await keys(lake, "nothing/here")).toEqual([]);
      await lake.remove(ids[0] as string);
      await lake.remove(ids[0] as string);
      expect(await keys(lake, "manifest/")).toEqual([ids[1]]);
    });

    describe("parts", () => {
      const bytes = randomBytes(2 * partSize + 12_345);
      const piece = (number: number): Buffer => bytes.subarray((number - 1) * partSize, number * partSize);
      const begin = async (key = someKey("big.bin")): Promise<PartUpload> => {
        return { key, handle: await lake.begin(key, {}), size: bytes.length, partSize };
      };
      const send = async (
        upload: PartUpload,
        number: number,
        to: AnyLake = lake,
        content: Uint8Array = piece(number),
      ): Promise<StoredPart> => {
        const staged = await to.stagePart(upload, number, chunked(content));
        const { size, sha256 } = staged;
        return { number, size, sha256, tag: await to.part(upload, number, staged) };
      };
      const whole = { size: bytes.length, sha256: sha256(bytes) };
      const isThere = async (key: string): Promise<void> => {
        expect((await readAll(lake, key))?.equals(bytes)).toBe(true);
        expect(await made.leftovers()).toBe(0);
      };

      test("in any order, all at once, one of them again", async () => {
        const upload = await begin();
        const parts = await Promise.all([3, 1, 2].map((number) => send(upload, number)));
        const again = await send(upload, 2);
        expect(await lake.read(upload.key)).toBeUndefined();
        expect(
          await lake.complete(upload, [...parts.filter((part) => part.number !== 2), again], whole.sha256),
        ).toEqual(whole);
        await isThere(upload.key);
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
      });

      test("completed twice at once", async () => {
        const upload = await begin();
        const parts = [await send(upload, 1), await send(upload, 2), await send(upload, 3)];
        const both = await Promise.all([
          lake.complete(upload, parts, whole.sha256),
          lake.complete(upload, parts, whole.sha256),
        ]);
        expect(both).toEqual([whole, whole]);
        await isThere(upload.key);
      });

      test("staged like any body", async () => {
        const upload = await begin();
        const parts: StoredPart[] = [];
        for (const number of [1, 2, 3]) {
          const staged = await lake.stage(chunked(piece(number)));
          const { size, sha256 } = staged;
          parts.push({ number, size, sha256, tag: await lake.part(upload, number, staged) });
        }
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        await isThere(upload.key);
      });

      test("other bytes for a stored part are refused and change nothing", async () => {
        const upload = await begin();
        const parts = [await send(upload, 1), await send(upload, 2), await send(upload, 3)];
        const other = send(upload, 2, lake, randomBytes(partSize));
        await expect(other).rejects.toMatchObject({ code: "part-conflict" });
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        await isThere(upload.key);
      });

      test("two requests for one part at once: what is stored is one of them, never a mixture", async () => {
        const upload = await begin();
        const rival = randomBytes(partSize);
        const tries = await Promise.allSettled([
          send(upload, 1),
          send(upload, 1, lake, rival),
          send(upload, 1),
          send(upload, 1, lake, rival),
        ]);
        const stored = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
        expect(stored.length).toBeGreaterThan(0);
        expect(new Set(stored.map((part) => part.sha256)).size).toBe(1);
        const first = stored.at(-1) as StoredPart;
        const rest = [await send(upload, 2), await send(upload, 3)];
        const expected = Buffer.concat([
          first.sha256 === sha256(rival) ? rival : piece(1),
          piece(2),
          piece(3),
        ]);
        expect(await lake.complete(upload, [first, ...rest], sha256(expected))).toMatchObject({
          sha256: sha256(expected),
        });
        expect((await readAll(lake, upload.key))?.equals(expected)).toBe(true);
      });

      test("a broken, a short, a long and an impossible part leave the upload as it was", async () => {
        const upload = await begin();
        const broken = async function* (): AsyncGenerator<Uint8Array> {
          yield randomBytes(2 * MiB);
          throw new Error("the network went");
        };
        const parts = [await send(upload, 1)];
        await expect(lake.stagePart(upload, 2, broken())).rejects.toThrow("the network went");
        await expect(send(upload, 2, lake, randomBytes(10))).rejects.toMatchObject({ code: "part-size" });
        await expect(send(upload, 2, lake, randomBytes(partSize + 1))).rejects.toMatchObject({
          code: "part-size",
        });
        await expect(send(upload, 4, lake, randomBytes(10))).rejects.toMatchObject({ code: "part-invalid" });
        expect(await made.leftovers()).toBe(0);
        parts.push(await send(upload, 2));
        await expect(lake.complete(upload, parts, whole.sha256)).rejects.toMatchObject({
          code: "parts-missing",
        });
        parts.push(await send(upload, 3));
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        await isThere(upload.key);
      });

      test("a discarded part can be sent anew", async () => {
        const upload = await begin();
        await (await lake.stagePart(upload, 1, chunked(randomBytes(partSize)))).discard();
        const parts = [await send(upload, 1), await send(upload, 2), await send(upload, 3)];
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        await isThere(upload.key);
      });

      test.for(["here", "by another adapter"])(
        "a whole with another digest than declared is never visible, and over; parts that came %s",
        async (where) => {
          const upload = await begin();
          const parts = [await send(upload, 1), await send(upload, 2), await send(upload, 3)];
          const to = where === "here" ? lake : await made.reopen?.();
          if (to === undefined) return;
          const mismatch = { code: "digest-mismatch", message: expect.stringContaining(whole.sha256) };
          await expect(to.complete(upload, parts, sha256(Buffer.from("other")))).rejects.toMatchObject(
            mismatch,
          );
          expect(await lake.read(upload.key)).toBeUndefined();
          expect(await keys(lake, upload.key)).toEqual([]);
          await expect(to.complete(upload, parts, whole.sha256)).rejects.toMatchObject({
            code: "upload-unknown",
          });
          expect((await Array.fromAsync(lake.open())).map((one) => one.handle)).not.toContain(upload.handle);
          await lake.abort(upload);
          expect(await made.leftovers()).toBe(0);
        },
      );

      test("an aborted upload is gone, also the second time", async () => {
        const upload = await begin();
        const part = await send(upload, 1);
        expect(
          (await Array.fromAsync(lake.open())).filter((one) => one.handle === upload.handle),
        ).toMatchObject([{ key: upload.key }]);
        await lake.abort(upload);
        await lake.abort(upload);
        expect((await Array.fromAsync(lake.open())).map((one) => one.handle)).not.toContain(upload.handle);
        await expect(send(upload, 2)).rejects.toMatchObject({ code: "upload-unknown" });
        const rest = [2, 3].map((number) => ({ ...part, number, size: piece(number).length }));
        await expect(lake.complete(upload, [part, ...rest], whole.sha256)).rejects.toMatchObject({
          code: "upload-unknown",
        });
        expect(await made.leftovers()).toBe(0);
      });

      test("put together in quarantine", async () => {
        const upload = await begin(someKey("sub/big.bin").replace(/^raw/, "quarantine"));
        expect((await Array.fromAsync(lake.open())).map((one) => one.key)).toContain(upload.key);
        const parts = [await send(upload, 1), await send(upload, 2), await send(upload, 3)];
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        const to = upload.key.replace(/^quarantine/, "raw");
        await lake.copy(upload.key, to);
        // Killed right after that, it is completed again.
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
        await lake.remove(upload.key);
        await isThere(to);
      });

      test("an empty file has no parts", async () => {
        const key = someKey("empty.bin");
        const upload = { key, handle: await lake.begin(key, {}), size: 0, partSize };
        const none = { size: 0, sha256: sha256(Buffer.alloc(0)) };
        expect(await lake.complete(upload, [], none.sha256)).toEqual(none);
        expect(await lake.complete(upload, [], none.sha256)).toEqual(none);
        expect(await readAll(lake, key)).toEqual(Buffer.alloc(0));
      });

      test("another adapter goes on, and completes again what was completed", async () => {
        // Nothing outlives the adapter in memory.
        if (made.reopen === undefined) return;
        const upload = await begin();
        const first = await send(upload, 1);
        const second = await made.reopen();
        const parts = [first, await send(upload, 3, second), await send(upload, 2, second)];
        await send(upload, 1, second);
        expect(await second.complete(upload, parts, whole.sha256)).toEqual(whole);
        await isThere(upload.key);
        const third = await made.reopen();
        expect(await third.complete(upload, parts, whole.sha256)).toEqual(whole);
        expect(await lake.complete(upload, parts, whole.sha256)).toEqual(whole);
      });
    });
  });
}
