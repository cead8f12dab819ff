/** PostgreSQL chooses how it finds rows by what it believes of a table, which is little of a new one. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import type { RootOperationNode } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { sign, version } from "../ledger/samples.ts";
import { openTrees } from "./open.ts";

/** So many that reading all of a table is dearer than some hundred looks into an index. */
const FILES = 20_000;

describeWithPostgres("postgres", (server) => {
  test("catching up reads what is new and what that concerns, before and after statistics are there", {
    timeout: 120_000,
  }, async () => {
    const url = await freshDatabase(server);
    const { db, close, ...rest } = await openPostgres(url);
    onTestFinished(close);
    await addClient(db, "acme");
    const ledger = createLedger({ db, close, ...rest });
    for (let from = 0; from < FILES; from += 1000)
      await ledger.commit(
        Array.from({ length: 1000 }, (_, i) => version(`big/${from + i}`, "x")),
        sign,
      );
    await openTrees(db).catchUp("acme");
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    for (const known of [false, true]) {
      if (known) await client.query("analyze");
      await ledger.commit(
        Array.from({ length: 60 }, (_, i) => version(`big/${i}`, `${known}`)),
        sign,
      );
      const nodes: RootOperationNode[] = [];
      const watched = db.withPlugin({
        transformQuery: ({ node }) => {
          if (node.kind === "SelectQueryNode") nodes.push(node);
          return node;
        },
        transformResult: async ({ result }) => result,
      });
      await openTrees(watched).catchUp("acme");
      const plans: string[] = [];
      for (const node of nodes) {
        const { sql, parameters } = db.getExecutor().compileQuery(node, { queryId: "plan" });
        const { rows } = await client.query(`explain (costs off) ${sql}`, [...parameters]);
        plans.push(rows.map((row: Record<string, string>) => row["QUERY PLAN"]).join("\n"));
      }
      expect(plans.join("\n")).toMatch(/Index (?:Only )?Scan using tree_files_pkey/);
      expect(plans.join("\n")).not.toMatch(/(?:Seq|Bitmap Heap) Scan on (?:entries|heads|tree_files)/);
    }
  });

  test("the tree as it was reads the names of a page, and of each its entries around that time", {
    timeout: 120_000,
  }, async () => {
    const url = await freshDatabase(server);
    const { db, close, ...rest } = await openPostgres(url);
    onTestFinished(close);
    await addClient(db, "acme");
    const ledger = createLedger({ db, close, ...rest });
    let middle = "";
    for (let from = 0; from < FILES; from += 1000) {
      const captures = Array.from({ length: 1000 }, (_, i) => version(`big/${from + i}`, "x"));
      const { segment } = await ledger.commit(captures, sign);
      if (from === FILES / 2) middle = segment?.lines[0]?.receivedAt as string;
    }
    await ledger.commit(
      Array.from({ length: 1000 }, (_, i) => version(`big/${i}`, "y")),
      sign,
    );
    await openTrees(db).catchUp("acme");
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    for (const known of [false, true]) {
      if (known) await client.query("analyze");
      const plans: string[] = [];
      const nodes: RootOperationNode[] = [];
      // A query inside another is asked of the plugin too, and never run by itself.
      const transformed = new Map<unknown, RootOperationNode>();
      const watched = db.withPlugin({
        transformQuery: ({ node, queryId }) => {
          transformed.set(queryId, node);
          return node;
        },
        transformResult: async ({ result, queryId }) => {
          const node = transformed.get(queryId) as RootOperationNode;
          if (node.kind === "SelectQueryNode" || node.kind === "RawNode") nodes.push(node);
          return result;
        },
      });
      const tree = openTrees(watched).asAt(Date.parse(middle));
      const view = { client: "acme" };
      expect((await tree.list(view, "pos", "", { limit: 200 })).nodes).toMatchObject([{ sure: true }]);
      expect((await tree.list(view, "pos", "big", { limit: 200 })).nodes).toHaveLength(200);
      expect(await tree.find(view, "pos", "big/7")).toMatchObject({ kind: "file", seq: 8 });
      for (const node of nodes) {
        const { sql, parameters } = db.getExecutor().compileQuery(node, { queryId: "plan" });
        const { rows } = await client.query(`explain (costs off) ${sql}`, [...parameters]);
        const plan = rows.map((row: Record<string, string>) => row["QUERY PLAN"]).join("\n");
        // Entries that are named one by one are fetched together: no more of them than there are names.
        plans.push(
          plan.replace(
            /Bitmap Heap Scan on entries e\n\s+Recheck Cond: \(seq = ANY/,
            "entries by their numbers",
          ),
        );
      }
      expect(plans.join("\n")).toMatch(/Index (?:Only )?Scan (?:Backward )?using entries_by_path/);
      expect(plans.join("\n")).not.toMatch(/(?:Seq|Bitmap Heap) Scan on (?:entries|heads|tree_files)/);
    }
  });
});
