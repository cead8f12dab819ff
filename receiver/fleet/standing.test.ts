import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { standingContract } from "./standing.contract.ts";

describe("sqlite", () => standingContract(async () => await (await sqlitePlace()).open()));

describeWithPostgres("the fleet's numbers on PostgreSQL", (server) => {
  standingContract(async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  });
});
