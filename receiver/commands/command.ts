/** How every command of the receiver looks: --data, --config, and a site that is opened for it and closed after it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { actAsOwnerOf } from "@tributary/shared/account.ts";
import { dataFolder } from "@tributary/shared/place.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Command } from "commander";
import { sql } from "kysely";
import { readSite, type SiteOptions } from "../config.ts";
import type { Database } from "../ledger/schema.ts";
import type { Open, OpenLedger, OpenSite, SiteLedger } from "../site.ts";

/** What main.ts hands to the commands, so that only main.ts knows the technologies. */
export interface Sites {
  readonly open: Open;
  readonly openLedger: OpenLedger;
}

/** A command of a site: every one takes --data and --config, and acts as the account whose the data folder is. */
export function siteCommand(parent: Command, words: string, description: string): Command {
  return parent
    .command(words)
    .description(description)
    .hook("preAction", (asked) => actAsOwnerOf(dataFolder("receiver", asked.opts<SiteOptions>().data)))
    .option("--data <dir>", "the folder that holds lake, ledger and keys")
    .option("--config <file>", "its settings, instead of receiver.yaml in that folder");
}

/** Works with the whole site: ledger, keys and lake. Only with one that is there: a mistyped --data must not make another. */
export async function withSite<T>(
  sites: Sites,
  options: SiteOptions,
  work: (site: OpenSite) => Promise<T>,
): Promise<T> {
  await requireSite(sites, options);
  return await using(sites.open(options), work);
}

/** Works with the ledger alone: keys and lake are not touched, and need not be there. The site must be. */
export async function withLedger<T>(
  sites: Sites,
  options: SiteOptions,
  work: (site: SiteLedger) => Promise<T>,
): Promise<T> {
  await requireSite(sites, options);
  return await using(sites.openLedger(options), work);
}

/** Opened by the caller, who knows that it may begin a site; closed here. */
export async function using<S extends SiteLedger, T>(
  opening: Promise<S>,
  work: (site: S) => Promise<T>,
): Promise<T> {
  const site = await opening;
  try {
    return await work(site);
  } finally {
    await site.close();
  }
}

/** Throws `not-found` where no site is, before anything would make one. */
export async function requireSite(sites: Sites, options: SiteOptions): Promise<void> {
  const { data, settings } = readSite(options);
  if (settings.ledger.kind === "sqlite") {
    const file = resolve(data, settings.ledger.path ?? "ledger.sqlite");
    if (!existsSync(file)) throw noSite(`${data} holds no site: there is no ledger ${file}`);
  } else if (!(await using(sites.openLedger(options), ({ database: { db } }) => hasBegun(db)))) {
    throw noSite(`the PostgreSQL database of ${options.config ?? data} holds no site`);
  }
}

/** Whether `serve` or `client add` ever ran on this ledger, or it was restored. */
async function hasBegun(db: Database): Promise<boolean> {
  const any = await Promise.all(
    (["clients", "site_keys"] as const).map((table) =>
      db.selectFrom(table).select(sql.lit(1).as("one")).limit(1).executeTakeFirst(),
    ),
  );
  return any.some((row) => row !== undefined);
}

/** `what` was looked at and is not there. */
export function noSite(what: string): ProblemError {
  return new ProblemError(
    "not-found",
    `${what}; name the receiver's folder with --data or its settings with --config, or begin a site: tributary-receiver serve`,
  );
}
