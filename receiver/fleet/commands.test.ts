import { describe } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { commandsContract } from "./commands.contract.ts";

describe("sqlite", () => commandsContract(async () => (await sqlitePlace()).open));
