import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { overviewContract } from "./overview.contract.ts";

describe("sqlite", () => overviewContract(async () => (await sqlitePlace()).open(), 12));

describeWithPostgres("postgres", (server) =>
  overviewContract(async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  }, 6),
);
