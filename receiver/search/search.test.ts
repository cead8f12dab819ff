import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { searchContract } from "./search.contract.ts";

describe("sqlite", () => {
  searchContract(async () => (await sqlitePlace()).open, 25);
});

describeWithPostgres("postgres", (server) => {
  searchContract(async () => {
    const url = await freshDatabase(server);
    return async () => {
      const opened = await openPostgres(url);
      onTestFinished(() => opened.close());
      return opened;
    };
  }, 4);
});
