/** An opened site: what every command works on. `open` is handed to the commands, so that only main.ts knows the technologies. */
import type { Site, SiteOptions } from "./config.ts";
import type { SiteKeys } from "./identity/keys.ts";
import type { AnyLake } from "./lake/lake.ts";
import type { LedgerDatabase } from "./ledger/database.ts";

export interface OpenSite extends Site {
  readonly database: LedgerDatabase;
  readonly siteKeys: SiteKeys;
  readonly lake: AnyLake;
  close(): Promise<void>;
}

export type Open = (options: SiteOptions) => Promise<OpenSite>;
