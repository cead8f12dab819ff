/**
 * Whether a ledger knows all that its lake holds. A lost, an old or another site's ledger names fewer objects than
 * the lake has acknowledged, and whoever then takes away "what no entry names" deletes clients' files. A segment is
 * committed in the ledger before it is written to the lake; so the lake is listed first and the ledger asked after,
 * and what another receiver adds meanwhile never counts as missing.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { segmentKey, utcDay } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import type { Coverage } from "../ledger/ledger.ts";
import { type SegmentName, segmentNameOf } from "./manifest-read.ts";

export interface CoverageParts {
  readonly lake: Pick<Lake, "list">;
  readonly coverage: Coverage;
}

const BATCH = 500;
const DAY_MS = 86_400_000;
const MOST_DAYS = 31;

/** Looks at every segment of the lake, holding a batch of names at a time. Throws `ledger-refused`. */
export async function requireCovered(parts: CoverageParts): Promise<void> {
  await requireKnown(parts, "manifest/");
}

/**
 * For the start: fast on a lake with any number of segments. Looks at the days from the ledger's newest segment on,
 * at most the last 31; of a ledger that has none, at the lake's first segments.
 */
export async function requireNewestCovered(parts: CoverageParts, now: number): Promise<void> {
  const newest = await parts.coverage.newestDay();
  if (newest === undefined) return await requireKnown(parts, "manifest/");
  // A day more: the ledger's clock may be ahead of ours.
  const last = now + DAY_MS;
  const from = Math.max(Date.parse(newest), last - MOST_DAYS * DAY_MS);
  const days = new Set([newest]);
  for (let at = from; at <= last; at += DAY_MS) days.add(utcDay(at));
  for (const day of days) await requireKnown(parts, `manifest/date=${day}/`);
}

async function requireKnown({ lake, coverage }: CoverageParts, prefix: string): Promise<void> {
  let batch: SegmentName[] = [];
  const ask = async (): Promise<void> => {
    const known = await coverage.known(batch.map(({ id }) => id));
    const unknown = batch.find(({ id }) => !known.has(id));
    if (unknown !== undefined) throw knowsMore(unknown);
    batch = [];
  };
  for await (const { key } of lake.list(prefix)) {
    const segment = segmentNameOf(key);
    if (segment === undefined) continue;
    batch.push(segment);
    if (batch.length === BATCH) await ask();
  }
  await ask();
}

function knowsMore(segment: SegmentName): ProblemError {
  return new ProblemError(
    "ledger-refused",
    `the lake knows more than this ledger: ${segmentKey(segment)} is not in it, as after a lost ledger, an old backup or a ` +
      "failover; nothing was taken away. Stop all receivers and run: tributary-receiver rebuild --merge",
  );
}
