import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { describe } from "vitest";
import { postgresPlaces, sqlitePlace } from "../ledger/place.contract.ts";
import { pastContract } from "./past.contract.ts";
import { treeContract } from "./tree.contract.ts";
import { treeModelContract } from "./tree-model.contract.ts";

describe("sqlite", () => {
  const newPlace = async () => (await sqlitePlace()).open;
  treeContract(newPlace);
  treeModelContract(newPlace, 40);
  pastContract(newPlace, 60);
});

describeWithPostgres("postgres", (server) => {
  const newPlace = postgresPlaces(server);
  treeContract(newPlace);
  treeModelContract(newPlace, 6);
  pastContract(newPlace, 8);
});
