/** Persons and their login on PostgreSQL: what SQLite's one writer gives for nothing has to hold there too. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { onTestFinished } from "vitest";
import { openPostgres } from "../ledger/postgres.ts";
import { authContract } from "./auth.contract.ts";
import { oidcContract } from "./oidc.contract.ts";
import { peopleContract } from "./people.contract.ts";

describeWithPostgres("people on PostgreSQL", (server) => {
  const openLedger = async () => {
    const { db, close } = await openPostgres(await freshDatabase(server));
    onTestFinished(close);
    return db;
  };
  peopleContract(openLedger);
  authContract(openLedger);
  oidcContract(openLedger);
});
