/** Reading the manifest back out of the lake: for `rebuild`, which has nothing else, and for `verify`. */
import { createInterface } from "node:readline";
import { ProblemError } from "@tributary/shared/problems.ts";
import { segmentKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import type { RebuildLine } from "../ledger/rebuild.ts";

export interface SegmentName {
  readonly id: string;
  readonly date: string;
}

const SEGMENT = /^manifest\/date=(\d{4}-\d\d-\d\d)\/([0-9a-f-]{36})\.jsonl$/;

/** Undefined for what lies under `manifest/` and is not ours. */
export function segmentNameOf(key: string): SegmentName | undefined {
  const [, date, id] = SEGMENT.exec(key) ?? [];
  return date === undefined || id === undefined ? undefined : { date, id };
}

/** The days of which the lake holds segments, in order. */
export async function segmentDays(lake: Pick<Lake, "list">): Promise<string[]> {
  const days = new Set<string>();
  for await (const { key } of lake.list("manifest/")) {
    const name = segmentNameOf(key);
    if (name !== undefined) days.add(name.date);
  }
  return [...days].sort();
}

/** The segments of one day by age. A store lists in any order, so a day is what is held in memory. */
export async function segmentsOf(lake: Pick<Lake, "list">, day: string): Promise<SegmentName[]> {
  const found: SegmentName[] = [];
  for await (const { key } of lake.list(`manifest/date=${day}/`)) {
    const name = segmentNameOf(key);
    if (name !== undefined) found.push(name);
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** The lines of one segment as JSON values; undefined when there is no such object. Throws `ledger-refused` for what is no JSON. */
export async function segmentLines(
  lake: Pick<Lake, "read">,
  segment: SegmentName,
): Promise<unknown[] | undefined> {
  const bytes = await lake.read(segmentKey(segment));
  if (bytes === undefined) return undefined;
  const lines: unknown[] = [];
  for await (const text of createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })) {
    try {
      lines.push(JSON.parse(text));
    } catch (cause) {
      throw new ProblemError(
        "ledger-refused",
        `${segmentKey(segment)} is damaged: line ${lines.length + 1} is no JSON; restore the object from a backup of the lake`,
        { cause },
      );
    }
  }
  return lines;
}

/** Every line of every segment of these days, as `rebuild` takes them, which checks what they hold. `read` is told each segment. */
export async function* manifestLines(
  lake: Pick<Lake, "list" | "read">,
  days: readonly string[],
  read: (segment: SegmentName) => void = () => {},
): AsyncGenerator<RebuildLine> {
  for (const day of days) {
    for (const segment of await segmentsOf(lake, day)) {
      for (const line of (await segmentLines(lake, segment)) ?? [])
        yield { ...(line as RebuildLine), segmentId: segment.id, date: segment.date };
      read(segment);
    }
  }
}
