import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { afterAll, describe, expect, test } from "vitest";
import type { LedgerDatabase } from "../ledger/database.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { deliveriesContract } from "./deliveries.contract.ts";
import { meet } from "./deliveries.ts";
import { merge } from "./leads.ts";

const opened: LedgerDatabase[] = [];
const folder = mkdtempSync(join(tmpdir(), "tributary-deliveries-"));
afterAll(async () => {
  for (const database of opened) await database.close();
  rmSync(folder, { recursive: true });
});
const kept = (database: LedgerDatabase): LedgerDatabase => {
  opened.push(database);
  return database;
};

describe("sqlite", () => deliveriesContract(async () => kept(await openSqlite(join(folder, "l"))), 200));

describeWithPostgres("postgres", (server) =>
  deliveriesContract(async () => kept(await openPostgres(await freshDatabase(server))), 60),
);

describe("what several indexes have in common", () => {
  test.for<[string, Parameters<typeof meet>[0], ReturnType<typeof meet>]>([
    ["one that ends", [{ seqs: [9, 5], downTo: undefined }], { candidates: [9, 5], below: undefined }],
    ["one that goes on", [{ seqs: [9, 5], downTo: 5 }], { candidates: [9, 5], below: 5 }],
    [
      "the sparser leads, the other rules out what it would have had",
      [
        { seqs: [9, 8, 7], downTo: 7 },
        { seqs: [8, 6, 2], downTo: 2 },
      ],
      { candidates: [8, 6, 2], below: 2 },
    ],
    [
      "nothing above the lower of their tops",
      [
        { seqs: [90, 80, 70], downTo: 70 },
        { seqs: [60, 50], downTo: undefined },
      ],
      { candidates: [60, 50], below: undefined },
    ],
    [
      "far apart: on to the lower top",
      [
        { seqs: [90, 50, 40], downTo: 40 },
        { seqs: [30, 29, 28], downTo: 28 },
      ],
      { candidates: [30, 29, 28].filter(() => false), below: 31 },
    ],
    [
      "one that has nothing ends it",
      [
        { seqs: [90, 80], downTo: 80 },
        { seqs: [], downTo: undefined },
      ],
      { candidates: [], below: undefined },
    ],
  ])("%s", ([, found, expected]) => {
    const { candidates, below } = meet(found);
    expect(below ?? -1).toBeLessThanOrEqual(90);
    if (expected.candidates.length > 0 || expected.below === undefined)
      expect({ candidates, below }).toEqual(expected);
  });

  test("of several streams, down to where the first that is full stops", () => {
    const of = (stream: number, ...seqs: number[]) => seqs.map((seq) => ({ stream, seq }));
    expect(merge([...of(0, 9, 4), ...of(1, 8, 7)], 2, 1)).toEqual({ seqs: [9, 8, 7], downTo: 7 });
    expect(merge([...of(0, 9, 4), ...of(1, 8)], 2, 1)).toEqual({ seqs: [9, 8, 4], downTo: 4 });
    expect(merge([...of(0, 9), ...of(1, 8)], 2, 1)).toEqual({ seqs: [9, 8], downTo: undefined });
    expect(merge([...of(0, 9, 4), ...of(1, 8, 7)], 2, 8)).toEqual({ seqs: [9, 8], downTo: undefined });
    expect(merge([], 2, 1)).toEqual({ seqs: [], downTo: undefined });
  });
});
