import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { onTestFinished } from "vitest";
import { openPostgres } from "../ledger/postgres.ts";
import { leasesContract } from "./leases.contract.ts";

describeWithPostgres("leases on PostgreSQL", (server) => {
  leasesContract(async () => {
    const url = await freshDatabase(server);
    return async () => {
      const database = await openPostgres(url);
      onTestFinished(() => database.close());
      return database;
    };
  });
});
