import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { timelineContract } from "./timeline.contract.ts";

describe("sqlite", () => {
  timelineContract(async () => (await sqlitePlace()).open);
});

describeWithPostgres("postgres", (server) => {
  timelineContract(async () => {
    const url = await freshDatabase(server);
    return async () => {
      const opened = await openPostgres(url);
      onTestFinished(() => opened.close());
      return opened;
    };
  });
});
