import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { postgresPlaces, sqlitePlace } from "../ledger/place.contract.ts";
import { administrationContract } from "./administration.contract.ts";

administrationContract("sqlite", async () => await (await sqlitePlace()).open());

describeWithPostgres("postgres", (server) => {
  const newPlace = postgresPlaces(server);
  administrationContract("postgres", async () => await (await newPlace())());
});
