import { randomUUID } from "node:crypto";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import pg from "pg";
import { describe, onTestFinished } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
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
  // A schema is a ledger of its own, and made far faster than a database.
  let database: Promise<string> | undefined;
  const newPlace = async () => {
    database ??= freshDatabase(server);
    const url = await database;
    const schema = `s${randomUUID().replaceAll("-", "")}`;
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`create schema ${schema}`);
    await client.end();
    return async () => {
      const opened = await openPostgres(`${url}?options=-c%20search_path%3D${schema}`);
      onTestFinished(() => opened.close());
      return opened;
    };
  };
  treeContract(newPlace);
  treeModelContract(newPlace, 6);
  pastContract(newPlace, 8);
});
