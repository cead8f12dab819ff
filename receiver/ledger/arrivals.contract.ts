/** Counters of arrivals: whatever was committed, and however the ledger came to be, they are the sums over its entries. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ArrivalsRow, arrivalsOf, HOUR, withArrivals } from "./arrivals.ts";
import { backup } from "./backup.ts";
import { addClient } from "./clients.ts";
import { createLedger } from "./commit.ts";
import type { LedgerDatabase } from "./database.ts";
import type { Place } from "./ledger.contract.ts";
import { type RebuildLine, rebuild } from "./rebuild.ts";
import { restore } from "./restore.ts";
import { removal, sign, version } from "./samples.ts";
import { createSegments } from "./segments.ts";

const step = fc.record({
  client: fc.constantFrom("acme", "globex"),
  source: fc.constantFrom("pos", "erp"),
  channel: fc.constantFrom("push", "sftp"),
  path: fc.constantFrom("a", "b"),
  /** Undefined: it is gone. */
  text: fc.option(fc.constantFrom("", "A", "BB"), { nil: undefined }),
});
/** Each is one commit, so many ms after the one before. */
const runs = fc.array(
  fc.tuple(fc.array(step, { minLength: 1, maxLength: 8 }), fc.oneof(fc.constant(1), fc.nat(3 * HOUR))),
  {
    minLength: 1,
    maxLength: 8,
  },
);

type Commits = typeof runs extends fc.Arbitrary<infer T> ? T : never;

async function countersOf({ db }: LedgerDatabase): Promise<readonly ArrivalsRow[]> {
  return inOrder(await withArrivals(db).selectFrom("arrivals").selectAll().execute());
}

/** What they should be. */
async function sumsOf({ db }: LedgerDatabase): Promise<readonly ArrivalsRow[]> {
  return inOrder(arrivalsOf(await db.selectFrom("entries").selectAll().execute()));
}

function inOrder(rows: readonly ArrivalsRow[]): readonly ArrivalsRow[] {
  const key = (row: ArrivalsRow): string => [row.hour, row.client, row.source, row.channel].join(" ");
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export function arrivalsContract(newPlace: () => Promise<Place>, numRuns: number): void {
  const fill = async (database: LedgerDatabase, commits: Commits): Promise<void> => {
    for (const client of ["acme", "globex"]) await addClient(database.db, client);
    let now = 1_000 * HOUR - 1;
    for (const [steps, later] of commits) {
      const { commit } = createLedger({ ...database, clock: sql<number>`${sql.lit(now)}` });
      await commit(
        steps.map(({ path, text, ...more }) =>
          text === undefined ? removal(path, more) : version(path, text, more),
        ),
        sign,
      );
      now += later;
    }
  };

  describe("counters of arrivals", () => {
    test("after any commits they are the sums over the entries", { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(runs, async (commits) => {
          const database = await (await newPlace())();
          await fill(database, commits);
          const counters = await countersOf(database);
          expect(counters).toEqual(await sumsOf(database));
          await database.close();
        }),
        { numRuns },
      );
    });

    test("a rebuild, one that merges, and a restore count anew", async () => {
      const database = await (await newPlace())();
      const steps = (["a", "b"] as const).map((path) => ({
        ...({ client: "acme", source: "pos", channel: "push", path, text: "A" } as const),
      }));
      await fill(database, [
        [steps, 2 * HOUR],
        [[{ client: "acme", source: "pos", channel: "push", path: "a", text: undefined }], 0],
      ]);
      const expected = await countersOf(database);
      expect(expected.map(({ files, removals }) => [files, removals])).toEqual([
        [2, 0],
        [0, 1],
      ]);
      async function* lines(): AsyncGenerator<RebuildLine> {
        for await (const { id: segmentId, date, lines } of createSegments(database).unwritten(0))
          for (const line of lines) yield { ...line, segmentId, date };
      }
      const rebuilt = await (await newPlace())();
      await rebuild(rebuilt, lines(), { merge: false });
      expect(await countersOf(rebuilt)).toEqual(expected);
      await rebuild(rebuilt, lines(), { merge: true });
      expect(await countersOf(rebuilt)).toEqual(expected);
      const folder = mkdtempSync(join(tmpdir(), "tributary-arrivals-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      await backup(database.db, join(folder, "b"));
      const restored = await (await newPlace())();
      await restore(restored, join(folder, "b"));
      expect(await countersOf(restored)).toEqual(expected);
    });
  });
}
