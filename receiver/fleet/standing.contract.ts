/** What the numbers of the fleet must be on every ledger, and how little they may cost. */
import { sql } from "kysely";
import { expect, test } from "vitest";
import { type LedgerDatabase, writing } from "../ledger/database.ts";
import { fleetStanding, recordStanding } from "./standing.ts";

const NOW = Date.parse("2026-11-20T05:00:00Z");
const SILENT = NOW - 120_000;
type Said = Parameters<typeof recordStanding>[2];

const said = (more: Partial<Said> = {}): Said => ({
  skewMs: 0,
  queue: { depth: 0, bytes: 0, aside: 0 },
  sources: [],
  problems: [],
  ...more,
});
const source = (reachable: boolean): Said["sources"][number] => ({
  ...{ name: "pos", client: "acme", kind: "folder", reachable, files: 1, settling: 0, problems: 0 },
});

export function standingContract(open: () => Promise<LedgerDatabase>): void {
  const add = async (
    { db }: LedgerDatabase,
    id: string,
    agent: { state?: "active" | "revoked" | "forked"; seen?: number | null; created?: number },
    status?: Said,
  ): Promise<void> => {
    await db
      .insertInto("agents")
      .values({
        ...{ id, name: id, public_key: id, state: agent.state ?? "active", created_at: agent.created ?? 0 },
        ...{ host: "h", platform: "linux", version: "1", nonce: null, nonce_previous: null },
        ...{ last_seen_at: agent.seen ?? null, status: null },
      })
      .execute();
    if (status !== undefined) await writing(db, (trx) => recordStanding(trx, id, status));
  };

  test("nobody there: noughts", async () => {
    const { db } = await open();
    expect(await fleetStanding(db, SILENT)).toEqual({
      agents: { seen: 0, silent: 0, forked: 0, revoked: 0 },
      ...{ waiting: 0, bytes: 0, oldestAt: undefined, aside: 0 },
      ...{ sources: 0, unreachable: 0, problems: 0, skewMs: 0 },
    });
  });

  test("adds up what agents said last, the revoked ones apart", async () => {
    const database = await open();
    const oldest = new Date(NOW - 600_000).toISOString();
    const queue = { depth: 10, bytes: 1000, aside: 1, oldestSealedAt: oldest };
    await add(database, "a", { seen: NOW }, said({ skewMs: -1500.7, queue, sources: [source(true)] }));
    await add(database, "b", { seen: SILENT }, said({ skewMs: 20, sources: [source(false), source(true)] }));
    await add(
      database,
      "c",
      { seen: SILENT - 1 },
      said({
        skewMs: 1e300,
        queue: { depth: 3, bytes: 5, aside: 0, oldestSealedAt: new Date(NOW).toISOString() },
      }),
    );
    await add(database, "new", { created: NOW });
    await add(database, "never", { created: SILENT - 1 });
    await add(database, "f", { state: "forked", seen: NOW });
    await add(database, "r", { state: "revoked", seen: NOW }, said({ queue: { ...queue, depth: 99 } }));
    expect(await fleetStanding(database.db, SILENT)).toEqual({
      agents: { seen: 3, silent: 2, forked: 1, revoked: 1 },
      ...{ waiting: 13, bytes: 1005, oldestAt: NOW - 600_000, aside: 1 },
      ...{ sources: 3, unreachable: 1, problems: 0, skewMs: 1501 },
    });
  });

  test("what an agent says next takes the place of what it said", async () => {
    const database = await open();
    await add(database, "a", { seen: NOW }, said({ queue: { depth: 10, bytes: 1000, aside: 0 } }));
    await writing(database.db, (trx) => recordStanding(trx, "a", said()));
    expect(await fleetStanding(database.db, SILENT)).toMatchObject({ waiting: 0, oldestAt: undefined });
  });

  test("2,000 agents with much to say cost less than 20 ms", async () => {
    const database = await open();
    const status = JSON.stringify({ words: "x".repeat(20_000) });
    for (let from = 0; from < 2000; from += 100)
      await database.db
        .insertInto("agents")
        .values(
          Array.from({ length: 100 }, (_, i) => ({
            ...{ id: `a${from + i}`, name: "n", public_key: `k${from + i}`, state: "active" as const },
            ...{
              created_at: 0,
              host: "h",
              platform: "linux",
              version: "1",
              nonce: null,
              nonce_previous: null,
            },
            ...{ last_seen_at: NOW, status },
          })),
        )
        .execute();
    await sql`insert into agent_standings select id, 0, 1, 1, 1, 0, 5, 0, 0 from agents`.execute(database.db);
    const times: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const from = performance.now();
      expect((await fleetStanding(database.db, SILENT)).waiting).toBe(2000);
      times.push(performance.now() - from);
    }
    // The middle one: others use this machine, too.
    expect(times.toSorted((a, b) => a - b)[4]).toBeLessThan(20);
  });
}
