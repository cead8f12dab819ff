/** An opened site: what every command works on. `open` is handed to the commands, so that only main.ts knows the technologies. */
import type { Site, SiteOptions } from "./config.ts";
import type { SiteKeys } from "./identity/keys.ts";
import type { AnyLake } from "./lake/lake.ts";
import type { LedgerDatabase } from "./ledger/database.ts";

/** The ledger alone: enough for most commands, and all that `restore` may touch. */
export interface SiteLedger extends Site {
  readonly database: LedgerDatabase;
  close(): Promise<void>;
}

export interface OpenSite extends SiteLedger {
  readonly siteKeys: SiteKeys;
  readonly lake: AnyLake;
}

export type Open = (options: SiteOptions) => Promise<OpenSite>;
export type OpenLedger = (options: SiteOptions) => Promise<SiteLedger>;
