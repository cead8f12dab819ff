/** What the overview reads at its first look and at later ones: of the counters a day, an hour or a feed at a time, no entries. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { CompiledQuery, type RootOperationNode } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ArrivalsRow, HOUR, withArrivals } from "../ledger/arrivals.ts";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { clientWeek } from "./client.ts";
import { createOverview } from "./overview.ts";

const HOURS = 24 * 60;
const NOW = HOURS * HOUR - 1;

async function fill({ db }: LedgerDatabase): Promise<void> {
  const clients = Array.from({ length: 12 }, (_, i) => `client-${i}`);
  for (const client of clients) await addClient(db, client);
  for (let hour = 0; hour < HOURS; hour += 48)
    await withArrivals(db)
      .insertInto("arrivals")
      .values(
        Array.from({ length: 48 }, (_, i) => i + hour).flatMap((at) =>
          clients.map(
            (client): ArrivalsRow => ({
              ...{ hour: at * HOUR, client, source: "pos", channel: "push", files: 1, bytes: 1, removals: 0 },
              last_at: at * HOUR,
            }),
          ),
        ),
      )
      .execute();
  await db.updateTable("site").set({ last_commit_at: NOW }).execute();
}

/** All statements of a first look, of a later one, and of a client's page. */
async function asked({ db }: LedgerDatabase): Promise<CompiledQuery[]> {
  const nodes: RootOperationNode[] = [];
  const watched = db.withPlugin({
    transformQuery: ({ node }) => {
      nodes.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const overview = createOverview(watched);
  expect((await overview.arrived(NOW)).files).toBe(24 * 12);
  await db
    .updateTable("site")
    .set({ last_commit_at: NOW + HOUR })
    .execute();
  await overview.arrived(NOW + HOUR);
  const week = await clientWeek(watched, "client-3", NOW);
  expect(week.map(({ channels }) => channels.push?.files)).toEqual(Array(168).fill(1));
  await db.updateTable("site").set({ last_commit_at: NOW }).execute();
  const texts = new Map(
    nodes.map((node) => {
      const query = db.getExecutor().compileQuery(node, { queryId: "plan" });
      return [query.sql, query];
    }),
  );
  return [...texts.values()];
}

describe("sqlite", () => {
  test("nothing reads all counters", { timeout: 60_000 }, async () => {
    const database = await (await sqlitePlace()).open();
    await fill(database);
    for (const { sql: text, parameters } of await asked(database)) {
      const { rows } = await database.db.executeQuery<{ detail: string }>(
        CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
      );
      expect(`${text}\n${rows.map(({ detail }) => detail).join("\n")}`).not.toMatch(
        /SCAN (?:a|arrivals|entries)\b/,
      );
    }
  });
});

describeWithPostgres("postgres", (server) => {
  test("nothing reads all counters, before and after statistics are there", { timeout: 60_000 }, async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    await fill(database);
    for (const known of [false, true]) {
      if (known) await database.db.executeQuery(CompiledQuery.raw("vacuum analyze"));
      for (const { sql: text, parameters } of await asked(database)) {
        const { rows } = await database.db.executeQuery<{ "QUERY PLAN": string }>(
          CompiledQuery.raw(`explain (costs off) ${text}`, [...parameters]),
        );
        const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
        expect(`${text}\n${plan}`).not.toMatch(/Seq Scan on (?:arrivals|entries)/);
      }
    }
  });
});
