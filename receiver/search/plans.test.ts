/** PostgreSQL chooses how it finds rows, with what it knows of a table and before it knows: no answer may cost a reading of all. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import type { RootOperationNode } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { digest, sign, version } from "../ledger/samples.ts";
import type { Database } from "../ledger/schema.ts";
import { versionsOf } from "../timeline/timeline.ts";
import { findByDigest } from "./digests.ts";
import { catchUpSearch } from "./follow.ts";
import { findFiles } from "./search.ts";

const FILES = 20_000;

describeWithPostgres("postgres", (server) => {
  test("what is found, and what is new, comes by indexes", { timeout: 120_000 }, async () => {
    const url = await freshDatabase(server);
    const database = await openPostgres(url);
    onTestFinished(() => database.close());
    const { db } = database;
    await addClient(db, "acme");
    const { commit } = createLedger(database);
    for (let from = 0; from < FILES; from += 1000)
      await commit(
        Array.from({ length: 1000 }, (_, i) =>
          version(`big/item-${digest(`${from + i}`).slice(0, 12)}`, `${from + i}`),
        ),
        sign,
      );
    await catchUpSearch(db);
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    const asked: readonly ((db: Database) => Promise<unknown>)[] = [
      (db) => findFiles(db, { text: "item", limit: 50 }),
      (db) =>
        findFiles(db, { text: `item-${digest("7").slice(0, 12)}`, client: "acme", source: "pos", limit: 50 }),
      (db) => findByDigest(db, { text: digest("7").slice(0, 8), limit: 50 }),
      (db) =>
        findByDigest(db, {
          text: digest("7"),
          client: "acme",
          limit: 50,
          after: "9",
        }),
      (db) => versionsOf(db, "acme", "pos", `big/item-${digest("7").slice(0, 12)}`, { limit: 50, before: 9 }),
      async (db) => {
        await commit([version(`new/${Math.random()}`, "x")], sign);
        await catchUpSearch(db);
      },
    ];
    for (const known of [false, true]) {
      if (known) await client.query("analyze");
      for (const ask of asked) {
        const nodes: RootOperationNode[] = [];
        const watched = db.withPlugin({
          transformQuery: ({ node }) => {
            if (node.kind === "SelectQueryNode") nodes.push(node);
            return node;
          },
          transformResult: async ({ result }) => result,
        });
        await ask(watched);
        expect(nodes.length).toBeGreaterThan(0);
        for (const node of nodes) {
          const { sql, parameters } = db.getExecutor().compileQuery(node, { queryId: "plan" });
          const { rows } = await client.query(`explain (costs off) ${sql}`, [...parameters]);
          const plan = rows.map((row: Record<string, string>) => row["QUERY PLAN"]).join("\n");
          expect(plan).not.toMatch(/Seq Scan on (?:entries|heads|search_words)/);
          // What is known of a new table is little, and it sorts the few rows that it expects. A handful of blocks, named by
          // their ids, is sorted however many there are.
          if (known && !/search_blocks\n\s+Filter: \(id = ANY/.test(plan)) expect(plan).not.toMatch(/Sort/);
        }
      }
    }
  });
});
