/** PostgreSQL chooses how it finds rows: the newest of a small source must not cost what its client has elsewhere. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import type { RootOperationNode } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { addClient } from "./clients.ts";
import { createLedger } from "./commit.ts";
import { createHistory } from "./history.ts";
import { openPostgres } from "./postgres.ts";
import { sign, version } from "./samples.ts";

describeWithPostgres("postgres", (server) => {
  test("a page of one source's newest, and of one path, comes by their indexes", {
    timeout: 120_000,
  }, async () => {
    const url = await freshDatabase(server);
    const database = await openPostgres(url);
    onTestFinished(() => database.close());
    await addClient(database.db, "acme");
    const { commit } = createLedger(database);
    for (let from = 0; from < 20_000; from += 1000)
      await commit(
        Array.from({ length: 1000 }, (_, i) => version(`big/${from + i}`, "x", { source: "erp" })),
        sign,
      );
    await commit(
      Array.from({ length: 30 }, (_, i) => version(`small/${i}`, "x")),
      sign,
    );
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    for (const known of [false, true]) {
      if (known) await client.query("analyze");
      for (const more of [{ latest: true, removals: true }, { latest: true }, { pathEncoded: "small/1" }]) {
        const nodes: RootOperationNode[] = [];
        const watched = database.db.withPlugin({
          transformQuery: ({ node }) => {
            nodes.push(node);
            return node;
          },
          transformResult: async ({ result }) => result,
        });
        const { entries } = await createHistory(watched).page({
          ...{ clients: ["acme"], source: "pos", limit: 100 },
          ...more,
        });
        expect(entries).toHaveLength("latest" in more ? 30 : 1);
        const { sql, parameters } = database.db
          .getExecutor()
          .compileQuery(nodes[0] as RootOperationNode, { queryId: "plan" });
        const { rows } = await client.query(`explain (costs off) ${sql}`, [...parameters]);
        const plan = rows.map((row: Record<string, string>) => row["QUERY PLAN"]).join("\n");
        expect(plan).toMatch("latest" in more ? /heads_by_source|heads_pkey/ : /entries_by_path/);
        expect(plan).not.toMatch(/Seq Scan|entries_by_client/);
      }
    }
  });
});
