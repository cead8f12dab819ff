/** Digests over many blocks of entries: of one that many have, and of one that few have, wherever these are. */
import { describe, expect, test } from "vitest";
import { seqsWithDigest } from "./digests.ts";
import type { Place } from "./ledger.contract.ts";
import type { Tables } from "./schema.ts";

const EMPTY = "e3b0c44298fc".padEnd(64, "1");
const RARE = "0123456789ab".padEnd(64, "2");
const TWIN = "01234567ffff".padEnd(64, "3");

export function digestsContract(newPlace: () => Promise<Place>): void {
  describe("entries by the begin of their digest", () => {
    /** Each 700 entries one of the same, through 80 blocks, and two others. */
    const fill = async () => {
      const { db } = await (await newPlace())();
      const rowOf = (seq: number, sha256: string): Tables["entries"] => ({
        ...{ seq, sha256, version_id: `v${seq}`, kind: "version", client: "acme", source: "pos", size: 1 },
        ...{ path_encoded: "f", path_hash: "h", capture_id: `c${seq}`, modified_at: null, sealed_at: null },
        ...{
          received_at: seq,
          channel: "push",
          bearer: "b",
          lake_key: `k${seq}`,
          receipt: "r",
          segment_id: "s",
        },
      });
      const rows = Array.from({ length: 936 }, (_, i) => rowOf((i + 1) * 700, EMPTY));
      await db
        .insertInto("entries")
        .values([...rows, rowOf(5, RARE), rowOf(300_001, RARE), rowOf(8192, TWIN)])
        .execute();
      await db.updateTable("site").set({ last_seq: 655_200 }).execute();
      return async (prefix: string, below = Number.MAX_SAFE_INTEGER, lowest = 1) =>
        await seqsWithDigest(db, prefix, { below, lowest, limit: 100 }, async () => {});
    };

    test("few are found, wherever they are", async () => {
      const look = await fill();
      expect(await look(RARE)).toEqual({ seqs: [300_001, 5], downTo: undefined });
      expect(await look("01234567")).toEqual({ seqs: [300_001, 8192, 5], downTo: undefined });
      expect((await look(RARE, 300_001)).seqs).toEqual([5]);
      expect((await look(RARE, 300_002, 300_001)).seqs).toEqual([300_001]);
      expect((await look(RARE, 300_001, 6)).seqs).toEqual([]);
      expect((await look("ffffffff")).seqs).toEqual([]);
    });

    test("of many some at a time, and all in the end, in their order", async () => {
      const look = await fill();
      const found: number[] = [];
      for (let below = Number.MAX_SAFE_INTEGER; ; ) {
        const { seqs, downTo } = await look(EMPTY, below);
        found.push(...seqs);
        expect(seqs.every((seq) => seq >= (downTo ?? 0) && seq < below)).toBe(true);
        if (downTo === undefined) break;
        expect(seqs.length).toBeLessThan(500);
        below = downTo;
      }
      expect(found).toEqual(Array.from({ length: 936 }, (_, i) => (936 - i) * 700));
    });
  });
}
