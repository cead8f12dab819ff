import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { onTestFinished } from "vitest";
import { ledgerContract } from "./ledger.contract.ts";
import { openPostgres } from "./postgres.ts";

describeWithPostgres("postgres", (server) => {
  const newPlace = async () => {
    const url = await freshDatabase(server);
    return async () => {
      const database = await openPostgres(url);
      onTestFinished(() => database.close());
      return database;
    };
  };
  ledgerContract(newPlace);
});
