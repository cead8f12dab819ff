import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { refusalsContract } from "./refusals.contract.ts";

describe("sqlite", () => refusalsContract(async () => (await sqlitePlace()).open));

describeWithPostgres("refusals on PostgreSQL", (server) => {
  refusalsContract(async () => {
    const url = await freshDatabase(server);
    return async () => {
      const database = await openPostgres(url);
      onTestFinished(() => database.close());
      return database;
    };
  });
});
