import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { postgresPlaces } from "../ledger/place.contract.ts";
import { commandsContract } from "./commands.contract.ts";
import { leasesContract } from "./leases.contract.ts";

describeWithPostgres("leases on PostgreSQL", (server) => leasesContract(postgresPlaces(server)));
describeWithPostgres("commands on PostgreSQL", (server) => commandsContract(postgresPlaces(server)));
