import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { HOUR } from "../ledger/arrivals.ts";
import { addClient } from "../ledger/clients.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { overviewContract } from "./overview.contract.ts";
import { createOverview } from "./overview.ts";

describe("sqlite", () => {
  overviewContract(async () => (await sqlitePlace()).open(), 12);

  test("more feeds than a call takes arguments are summed up", { timeout: 60_000 }, async () => {
    const { db } = await (await sqlitePlace()).open();
    await addClient(db, "acme");
    const [feeds, hour] = [130_000, 1000 * HOUR];
    await sql`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${feeds})
      insert into arrivals (hour, client, source, channel, files, bytes, removals, last_at)
      select ${hour}, 'acme', 'pos-' || i, 'push', 1, 10, 0, ${hour} from n`.execute(db);
    await db.updateTable("site").set({ last_commit_at: hour }).execute();
    const hours = await createOverview(db).byHour(hour);
    expect(hours.at(-1)).toEqual({
      hour,
      channels: { push: { files: feeds, bytes: feeds * 10 } },
      usual: undefined,
    });
  });
});

describeWithPostgres("postgres", (server) =>
  overviewContract(async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  }, 6),
);
