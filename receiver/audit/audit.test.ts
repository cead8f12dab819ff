import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { postgresPlaces, sqlitePlace } from "../ledger/place.contract.ts";
import { auditContract } from "./audit.contract.ts";

auditContract("sqlite", async () => await (await sqlitePlace()).open());

describeWithPostgres("postgres", (server) => {
  const newPlace = postgresPlaces(server);
  auditContract("postgres", async () => await (await newPlace())());
});
