/** `backup` and `restore`: what the lake alone cannot give back. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Progress, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { readSite, type SiteOptions } from "../config.ts";
import { backup, type RowCounts } from "../ledger/backup.ts";
import { restore } from "../ledger/restore.ts";
import type { SiteLedger } from "../site.ts";
import { type Sites, siteCommand, using, withLedger } from "./command.ts";
import { onSite } from "./who.ts";

export function addBackupCommands(program: Command, sites: Sites): void {
  siteCommand(
    program,
    "backup <file>",
    "writes the whole ledger into one file, also while serve runs",
  ).action((file: string, options: SiteOptions) => {
    return withLedger(sites, options, async ({ database: { db }, keys }) => {
      const progress = new Progress();
      const counts = await onSite(db, "site.backup", { file: resolve(file) }, () =>
        backup(db, file, (rows) => progress.show(() => `${rows} rows`)),
      );
      progress.end(`${resolve(file)}: ${total(counts)} rows`);
      say(`keep it as safe as the site's keys, which are not in it: ${keys}`);
    });
  });
  siteCommand(program, "restore <file>", "puts a backup into a new, empty ledger; serve must not run").action(
    (file: string, options: SiteOptions) =>
      intoFolder(sites, options, async ({ database, keys }) => {
        const progress = new Progress();
        const counts = await onSite(
          database.db,
          "site.restore",
          { file: resolve(file) },
          () => restore(database, file, (rows) => progress.show(() => `${rows} rows`)),
          (counts) => ({ rows: total(counts) }),
        );
        progress.end(`restored ${total(counts)} rows, ${counts.entries ?? 0} of them entries`);
        say(
          `the site's keys must lie in ${keys}; if the lake is newer than the backup: tributary-receiver rebuild --merge`,
        );
      }),
  );
}

/** Begins a ledger, so only where somebody has prepared for it: a mistyped --data is seldom a folder. */
async function intoFolder(
  sites: Sites,
  options: SiteOptions,
  work: (site: SiteLedger) => Promise<void>,
): Promise<void> {
  const { data } = readSite(options);
  if (!existsSync(data))
    throw new ProblemError(
      "not-found",
      `there is no folder ${data} to restore into; make it, with the site's keys and receiver.yaml in it, or name another with --data`,
    );
  await using(sites.openLedger(options), work);
}

const total = (counts: RowCounts): number => Object.values(counts).reduce((sum, rows) => sum + rows, 0);
