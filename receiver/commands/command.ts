/** How every command of the receiver looks: --data, --config, and a site that is opened for it and closed after it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Command } from "commander";
import { readSite, type SiteOptions } from "../config.ts";
import type { Open, OpenLedger, OpenSite, SiteLedger } from "../site.ts";

/** What main.ts hands to the commands, so that only main.ts knows the technologies. */
export interface Sites {
  readonly open: Open;
  readonly openLedger: OpenLedger;
}

/** A command of a site: every one takes --data and --config. */
export function siteCommand(parent: Command, words: string, description: string): Command {
  return parent
    .command(words)
    .description(description)
    .option("--data <dir>", "the folder that holds lake, ledger and keys")
    .option("--config <file>", "its settings, instead of receiver.yaml in that folder");
}

/** For commands that only read or change what is there: a mistyped --data must not make a new site. */
export function requireSite(options: SiteOptions): void {
  const { data, settings } = readSite(options);
  if (settings.ledger.kind !== "sqlite" || existsSync(resolve(data, settings.ledger.path ?? "ledger.sqlite")))
    return;
  throw new ProblemError(
    "not-found",
    `${data} holds no ledger; name the receiver's folder with --data, or begin one: tributary-receiver serve`,
  );
}

/** Works with the whole site: ledger, keys and lake. */
export async function withSite<T>(
  sites: Sites,
  options: SiteOptions,
  work: (site: OpenSite) => Promise<T>,
): Promise<T> {
  const site = await sites.open(options);
  try {
    return await work(site);
  } finally {
    await site.close();
  }
}

/** As `withLedger`, for commands that only read or change what is there. */
export async function withThatLedger<T>(
  sites: Sites,
  options: SiteOptions,
  work: (site: SiteLedger) => Promise<T>,
): Promise<T> {
  requireSite(options);
  return await withLedger(sites, options, work);
}

/** Works with the ledger alone: keys and lake are not touched, and need not be there. */
export async function withLedger<T>(
  sites: Sites,
  options: SiteOptions,
  work: (site: SiteLedger) => Promise<T>,
): Promise<T> {
  const site = await sites.openLedger(options);
  try {
    return await work(site);
  } finally {
    await site.close();
  }
}
