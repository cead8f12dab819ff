import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { uploadRowsContract } from "./upload-rows.contract.ts";

describe("sqlite", () => uploadRowsContract(async () => await (await sqlitePlace()).open()));

describeWithPostgres("postgres", (server) =>
  uploadRowsContract(async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  }),
);
