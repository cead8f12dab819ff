import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { onTestFinished } from "vitest";
import { openPostgres } from "../ledger/postgres.ts";
import { commandsContract } from "./commands.contract.ts";
import { leasesContract } from "./leases.contract.ts";

const placeOn = (server: Parameters<typeof freshDatabase>[0]) => async () => {
  const url = await freshDatabase(server);
  return async () => {
    const database = await openPostgres(url);
    onTestFinished(() => database.close());
    return database;
  };
};

describeWithPostgres("leases on PostgreSQL", (server) => leasesContract(placeOn(server)));
describeWithPostgres("commands on PostgreSQL", (server) => commandsContract(placeOn(server)));
