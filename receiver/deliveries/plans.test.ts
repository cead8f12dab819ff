/** How both databases find what lists of deliveries and overviews ask for: out of an index, of no more than was asked for. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { CompiledQuery, type RootOperationNode } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { HOUR, withArrivals } from "../ledger/arrivals.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { agent, digest, removal, sign, version } from "../ledger/samples.ts";
import type { Database } from "../ledger/schema.ts";
import { type DeliveriesQuery, listDeliveries } from "./deliveries.ts";

/** So many that reading all of a table is dearer than some hundred looks into an index. */
const FILES = 20_000;
const DIGEST = "0123456789abcdef";

async function fill(database: LedgerDatabase): Promise<void> {
  for (const client of ["acme", "globex"]) await addClient(database.db, client);
  const { commit } = createLedger(database);
  for (let from = 0; from < FILES; from += 1000)
    await commit(
      Array.from({ length: 1000 }, (_, i) =>
        version(`big/${from + i}`, "x", {
          sha256: i < 3 ? DIGEST.repeat(4) : digest(`${from + i}`),
        }),
      ),
      sign,
    );
  // Hours long ago, of which nothing is asked.
  for (let from = 0; from < FILES; from += 1000)
    await withArrivals(database.db)
      .insertInto("arrivals")
      .values(
        Array.from({ length: 1000 }, (_, i) => ({
          ...{ hour: (from + i) * HOUR, client: "acme", source: "pos", channel: "push", files: 1 },
          ...{ bytes: 1, removals: 0, last_at: (from + i) * HOUR },
        })),
      )
      .execute();
  const other = { client: "globex", source: "erp", channel: "sftp", bearer: { ...agent, id: "another" } };
  await commit(
    [version("a", "a", other), version("b", "b", other), removal("a", { ...other, hearsOfNothing: true })],
    sign,
  );
}

/** What a list asks for, as text with its parameters. */
async function asked(db: Database, query: Omit<DeliveriesQuery, "limit">): Promise<CompiledQuery[]> {
  const nodes: RootOperationNode[] = [];
  const watched = db.withPlugin({
    transformQuery: ({ node }) => {
      nodes.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await listDeliveries(watched, { ...query, limit: 50 });
  return nodes.map((node) => db.getExecutor().compileQuery(node, { queryId: "plan" }));
}

const all: readonly (readonly [string, Omit<DeliveriesQuery, "limit">])[] = [
  ["anything", {}],
  ["a client", { clients: ["globex"] }],
  ["two clients", { clients: ["globex", "acme"] }],
  ["a source", { source: "erp" }],
  ["a source of a client", { clients: ["globex"], source: "erp" }],
  ["a channel", { channel: "sftp" }],
  ["a channel of a client", { clients: ["acme"], channel: "sftp" }],
  ["a bearer", { bearer: "another" }],
  ["removals", { kind: "removal" }],
  ["removals of a client", { clients: ["globex"], kind: "removal" }],
  ["times", { from: 1, to: Date.now() * 2 }],
  ["a digest", { sha256Prefix: DIGEST.repeat(4) }],
  ["a digest's begin", { sha256Prefix: DIGEST.slice(0, 9) }],
  [
    "all at once",
    { clients: ["acme"], source: "pos", channel: "push", bearer: agent.id, from: 1, kind: "version" },
  ],
];

describe("sqlite", () => {
  test("no statement reads all entries or all counters, or sorts more than a page", {
    timeout: 120_000,
  }, async () => {
    const database = await (await sqlitePlace()).open();
    await fill(database);
    for (const [name, query] of all)
      for (const { sql: text, parameters } of await asked(database.db, query)) {
        const { rows } = await database.db.executeQuery<{ detail: string }>(
          CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
        );
        const plan = rows.map(({ detail }) => detail).join("\n");
        const seen = `${name}: ${text}\n${plan}`;
        // A scan in the order of seq ends with the limit; anything else would have to be read whole.
        expect(seen).not.toMatch(/SCAN (?:e|a|entries|arrivals)\b(?! *$)/m);
        expect(seen).not.toMatch(/TEMP B-TREE/);
      }
  });
});

describeWithPostgres("postgres", (server) => {
  test("no statement reads all entries or all counters, before and after statistics are there", {
    timeout: 120_000,
  }, async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    await fill(database);
    for (const known of [false, true]) {
      if (known) await database.db.executeQuery(CompiledQuery.raw("vacuum analyze"));
      for (const [name, query] of all)
        for (const { sql: text, parameters } of await asked(database.db, query)) {
          const { rows } = await database.db.executeQuery<{ "QUERY PLAN": string }>(
            CompiledQuery.raw(`explain (costs off) ${text}`, [...parameters]),
          );
          const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
          const seen = `${name}: ${text}\n${plan}`;
          expect(seen).not.toMatch(/Seq Scan on (?:entries|arrivals)/);
          // Without statistics PostgreSQL takes what one client has for little, and sorts it: until the first autovacuum. Rows
          // that are asked for by their seqs may come in any way.
          if (known)
            expect(seen).not.toMatch(
              /Bitmap Heap Scan on (?:entries|arrivals).*\n *Recheck Cond: (?!\(seq = ANY)/,
            );
        }
    }
  });
});
