import { describe } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { leasesContract } from "./leases.contract.ts";

describe("sqlite", () => leasesContract(async () => (await sqlitePlace()).open));
