import { uuidv7 } from "@tributary/shared/uuid.ts";
import { describe, expect, test } from "vitest";
import { memoryLake } from "../lake/memory.ts";
import { type CoverageParts, requireCovered, requireNewestCovered } from "./coverage.ts";

/** A lake with these segments, and a ledger that knows some of them. */
function parts(segments: readonly { date: string; known: boolean }[]) {
  const lake = memoryLake();
  const known: { id: string; date: string }[] = [];
  for (const segment of segments) {
    const id = uuidv7();
    lake.objects.set(`manifest/date=${segment.date}/${id}.jsonl`, Buffer.from("{}\n"));
    if (segment.known) known.push({ id, date: segment.date });
  }
  const listed: string[] = [];
  const asked: number[] = [];
  const made: CoverageParts = {
    lake: {
      list: (prefix) => {
        listed.push(prefix);
        return lake.list(prefix);
      },
    },
    coverage: {
      async known(ids) {
        asked.push(ids.length);
        return new Set(known.map(({ id }) => id)).intersection(new Set(ids));
      },
      newestDay: async () => known.at(-1)?.date,
    },
  };
  return { made, listed, asked };
}

const now = Date.parse("2026-03-10T12:00:00Z");
const refused = {
  code: "ledger-refused",
  message: expect.stringContaining("rebuild --merge"),
};

test("all segments are looked at, a batch at a time", async () => {
  const all = Array.from({ length: 1201 }, () => ({ date: "2020-01-01", known: true }));
  const { made, asked } = parts(all);
  await requireCovered(made);
  expect(asked).toEqual([500, 500, 201]);
  await expect(
    requireCovered(parts([...all, { date: "2020-01-02", known: false }]).made),
  ).rejects.toMatchObject(refused);
});

describe("at the start", () => {
  test("an empty ledger is refused by the first segment, however old, and fits an empty lake", async () => {
    const { made } = parts([{ date: "2001-01-01", known: false }]);
    await expect(requireNewestCovered(made, now)).rejects.toMatchObject(refused);
    await requireNewestCovered(parts([]).made, now);
  });

  test("the days from the ledger's newest segment on are looked at, and no older one", async () => {
    const { made, listed } = parts([
      { date: "2026-03-01", known: false },
      { date: "2026-03-08", known: true },
    ]);
    await requireNewestCovered(made, now);
    expect(listed.map((prefix) => prefix.slice(-6))).toEqual(["03-08/", "03-09/", "03-10/", "03-11/"]);
  });

  test.for(["2026-03-08", "2026-03-09", "2026-03-11"])(
    "an old ledger is refused by a segment of %s",
    async (date) => {
      const { made } = parts([
        { date, known: false },
        { date: "2026-03-08", known: true },
      ]);
      await expect(requireNewestCovered(made, now)).rejects.toMatchObject(refused);
    },
  );

  test("after a long silence its own day and the last month are looked at", async () => {
    const { made, listed } = parts([{ date: "2020-01-01", known: true }]);
    await requireNewestCovered(made, now);
    expect(listed[0]).toBe("manifest/date=2020-01-01/");
    expect(listed.at(-1)).toBe("manifest/date=2026-03-11/");
    expect(listed).toHaveLength(33);
  });
});
