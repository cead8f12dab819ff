import { uuidv7 } from "@tributary/shared/uuid.ts";
import { expect, test } from "vitest";
import { memoryLake } from "../lake/memory.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { sign, version } from "../ledger/samples.ts";
import { createSegments } from "../ledger/segments.ts";
import { ManifestTail, unwrittenSegmentsOf } from "./manifest.ts";

/** A ledger whose commits a lake that was away has not seen; what the tail asks of it is counted. */
async function left(count: number) {
  const database = await (await sqlitePlace()).open();
  await addClient(database.db, "acme");
  const made: { readonly versionId: string; readonly key: string }[] = [];
  for (let i = 0; i < count; i += 1) {
    const { outcomes, segment } = await createLedger(database).commit([version(`f${i}`, "x")], sign);
    const [one] = outcomes;
    if (one?.kind !== "committed" || !segment) return expect.fail("not committed");
    const key = `manifest/date=${segment.date}/${segment.id}.jsonl`;
    made.push({ versionId: one.entry.versionId, key });
  }
  const segments = createSegments(database);
  const reads: string[] = [];
  const counted: typeof segments = {
    ...segments,
    async read(id) {
      reads.push(id);
      return await segments.read(id);
    },
    async *unwritten(olderThanMs) {
      for await (const segment of segments.unwritten(olderThanMs)) {
        reads.push(segment.id);
        yield segment;
      }
    },
  };
  const lake = memoryLake();
  return { made, reads, lake, counted, unwritten: unwrittenSegmentsOf(database.db) };
}

test("a repeated capture has its own segment read and written, however many others are left", async () => {
  const { made, reads, lake, counted, unwritten } = await left(5);
  const tail = new ManifestTail(lake, counted, unwritten);
  await tail.settled([made[3]?.versionId as string, uuidv7()]);
  expect(reads).toHaveLength(1);
  expect([...lake.objects.keys()]).toEqual([made[3]?.key]);
  await tail.settled([made[3]?.versionId as string]);
  expect(reads).toHaveLength(1);
  await tail.flush();
  expect(await tail.catchUp(0)).toBe(4);
  expect([...lake.objects.keys()].sort()).toEqual(made.map(({ key }) => key).sort());
});

test("one segment that cannot be written keeps no other from it, and is told", async () => {
  const { made, lake, counted, unwritten } = await left(3);
  const refusing: Pick<typeof lake, "stage" | "publish"> = {
    ...lake,
    async publish(staged, key, metadata) {
      if (key === made[1]?.key) throw new Error("no room");
      await lake.publish(staged, key, metadata);
    },
  };
  await expect(new ManifestTail(refusing, counted, unwritten).catchUp(0)).rejects.toThrow("no room");
  expect(new Set(lake.objects.keys())).toEqual(new Set([made[0]?.key, made[2]?.key]));
  expect(await new ManifestTail(lake, counted, unwritten).catchUp(0)).toBe(1);
});
