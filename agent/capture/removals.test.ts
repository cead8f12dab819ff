import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Beside } from "../queue/beside.ts";
import type { Seen } from "../queue/queue.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { ROOT } from "../source/bytes.ts";
import { Removals } from "./removals.ts";

let home: string;
let queue: SqliteQueue;
let now: number;
let removed: string[];
let removals: Removals;
const GAP_MS = 2_000;
const whole = { folder: ROOT, folders: [], complete: true };

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "removals-"));
  queue = openQueue(join(home, "queue.sqlite"));
  now = 0;
  removed = [];
  removals = new Removals({
    source: {
      name: "pos",
      takes: () => true,
      look: () => Promise.reject(new Error("not asked")),
    } as never,
    intake: intake(),
    book: queue.book("acme", "pos"),
    batch: {
      put: async ({ parcel }: { parcel: { path: Buffer } }) => {
        removed.push(`${parcel.path}`);
        return true;
      },
    } as never,
    report: () => {},
    clocks: { steady: () => now, wall: () => now, corrected: () => now },
    makeUuid: uuidv7,
    taken: false,
    gapMs: () => GAP_MS,
    rootStands: async () => true,
    lookAtFolder: () => {},
  });
});
afterEach(() => {
  queue.close();
  rmSync(home, { recursive: true });
});

const intake = () => queue.intake("acme", "pos");
const look = (): Beside => new Beside(intake(), ROOT, now);
const put = (...names: string[]): void =>
  intake().put(
    names.map((name) => {
      const state = { size: 1, mtimeNs: 1n, ctimeNs: 1n, fileId: 1n };
      const [path, sha256] = [Buffer.from(name), "00".repeat(32)];
      return {
        parcel: {
          ...{ kind: "version", captureId: uuidv7(), client: "acme", source: "pos", path, state, sha256 },
          ...{ sealedAt: "2026-01-01T00:00:00Z", partDigests: undefined, spooled: "copy" },
        },
        seen: { path, state, sha256, sealedAt: 0, missed: 0 },
      } as const;
    }),
  );
const conclude = async (beside: Beside, found: readonly Seen[], at: number): Promise<void> => {
  for (const { path, state } of found) beside.meet({ path, state });
  const lost = beside.end([]);
  now = at;
  await removals.conclude(whole, beside, lost);
};

test("two looks that both began before a file was there are one miss, however far apart they end", async () => {
  put(...Array.from({ length: 600 }, (_, i) => `a${String(i).padStart(4, "0")}`));
  const found = [...intake().seenIn(ROOT)];
  const [scan, hint] = [look(), look()];
  // Sealed while both go on: in the pages that are read last it is known already.
  put("z-new");
  await conclude(scan, found, 10_000);
  await conclude(hint, found, 10_000 + 2 * GAP_MS);
  expect(removed).toEqual([]);
  const third = look();
  await conclude(third, found, now + 1);
  expect(removed).toEqual(["z-new"]);
});

test("a look that begins too soon after the first decides nothing", async () => {
  put("a");
  await conclude(look(), [], 1_000);
  now = 1_000 + GAP_MS - 1;
  await conclude(look(), [], 60_000);
  expect(removed).toEqual([]);
  await conclude(look(), [], 60_001);
  expect(removed).toEqual(["a"]);
});
