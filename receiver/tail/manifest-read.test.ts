import { expect, test } from "vitest";
import { memoryLake } from "../lake/memory.ts";
import { manifestLines, segmentDays } from "./manifest-read.ts";

const id = (n: number): string => `01a2052c-0000-7000-8000-00000000000${n}`;

test("segments are read day by day and by age, and a day is listed when it is its turn", async () => {
  const lake = memoryLake();
  const put = (key: string, line: unknown) =>
    lake.objects.set(key, Buffer.from(`${JSON.stringify({ line })}\n`));
  put(`manifest/date=2026-02-01/${id(1)}.jsonl`, "last");
  put(`manifest/date=2026-01-31/${id(3)}.jsonl`, "second");
  put(`manifest/date=2026-01-31/${id(2)}.jsonl`, "first");
  put("manifest/date=2026-01-30/readme.jsonl", "not ours");
  put("manifest/compacted.parquet", "not ours");
  const listed: string[] = [];
  const watched: Pick<typeof lake, "list" | "read"> = {
    read: lake.read,
    list(prefix) {
      listed.push(prefix);
      return lake.list(prefix);
    },
  };
  const days = await segmentDays(watched);
  expect(days).toEqual(["2026-01-31", "2026-02-01"]);
  const seen: unknown[] = [];
  for await (const { line } of manifestLines(watched, days, ({ id }) => seen.push(id)) as AsyncIterable<{
    line?: unknown;
  }>)
    seen.push(line, listed.length);
  expect(seen).toEqual(["first", 2, id(2), "second", 2, id(3), "last", 3, id(1)]);
  expect(listed).toEqual(["manifest/", "manifest/date=2026-01-31/", "manifest/date=2026-02-01/"]);
});
