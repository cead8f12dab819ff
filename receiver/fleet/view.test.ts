import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { postgresPlaces, sqlitePlace } from "../ledger/place.contract.ts";
import { fleetViewContract } from "./view.contract.ts";

fleetViewContract("sqlite", async () => await (await sqlitePlace()).open());

describeWithPostgres("postgres", (server) => {
  const newPlace = postgresPlaces(server);
  fleetViewContract("postgres", async () => await (await newPlace())());
});
