import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { webhookRowsContract } from "./rows.contract.ts";

describe("sqlite", () => webhookRowsContract(async () => await (await sqlitePlace()).open()));

describeWithPostgres("postgres", (server) =>
  webhookRowsContract(async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  }),
);
