#!/usr/bin/env node
/** `tributary-receiver`: the only place that chooses technologies. Commands get what they need handed in. */
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { EXIT, fail } from "@tributary/shared/terminal.ts";
import { Command, CommanderError } from "commander";
import { serve } from "./commands/serve.ts";
import { type ReceiverSettings, readSite, type Site, type SiteOptions } from "./config.ts";
import { hostsOf, openKeys } from "./identity/keys.ts";
import { openDirectoryLake } from "./lake/directory.ts";
import type { AnyLake } from "./lake/lake.ts";
import { openS3Lake } from "./lake/s3.ts";
import type { LedgerDatabase } from "./ledger/database.ts";
import { openPostgres } from "./ledger/postgres.ts";
import { openSqlite } from "./ledger/sqlite.ts";
import { defaultData } from "./place.ts";
import type { OpenSite } from "./site.ts";

const NAME = "tributary-receiver";

/** Opens configuration, ledger, keys and lake; at a site's first start, makes them. */
async function open(options: SiteOptions): Promise<OpenSite> {
  const site = readSite(options, defaultData());
  const { settings } = site;
  const database = await openLedger(site, settings.ledger);
  try {
    const reached = [settings.listen.ingest.host, settings.publicUrl && new URL(settings.publicUrl).hostname];
    const siteKeys = await openKeys({
      db: database.db,
      folder: site.keys,
      tls: settings.tls && {
        cert: resolve(site.data, settings.tls.cert),
        key: resolve(site.data, settings.tls.key),
      },
      hosts: hostsOf(reached, hostname()),
      onProblem: (message) => process.stderr.write(`${NAME}: ${message}\n`),
    });
    try {
      const lake = await openLake(site, settings.lake, siteKeys.site);
      const close = async (): Promise<void> => {
        siteKeys.close();
        await database.close();
      };
      return { ...site, database, siteKeys, lake, close };
    } catch (error) {
      siteKeys.close();
      throw error;
    }
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function openLedger(site: Site, ledger: ReceiverSettings["ledger"]): Promise<LedgerDatabase> {
  switch (ledger.kind) {
    case "sqlite":
      return await openSqlite(resolve(site.data, ledger.path ?? "ledger.sqlite"));
    case "postgres":
      return await openPostgres(ledger.url);
  }
}

async function openLake(site: Site, lake: ReceiverSettings["lake"], siteId: string): Promise<AnyLake> {
  switch (lake.kind) {
    case "directory":
      return await openDirectoryLake({ root: resolve(site.data, lake.path ?? "lake"), site: siteId });
    case "s3": {
      const { endpoint, accessKeyId, secretAccessKey, bucket, prefix, region, forcePathStyle } = lake;
      return await openS3Lake({
        bucket,
        prefix,
        region,
        forcePathStyle,
        spool: join(site.data, "spool"),
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(accessKeyId === undefined ? {} : { accessKeyId }),
        ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
      });
    }
  }
}

async function main(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = new Command(NAME)
    .description("Stores what many clients send in one data lake, and proves it")
    .exitOverride()
    .showHelpAfterError();
  /** A command of a site: every one takes --data and --config. The action may give its exit code. */
  const command = (words: string, description: string, parent = program): Command =>
    parent
      .command(words)
      .description(description)
      .option("--data <dir>", "the folder that holds lake, ledger and keys")
      .option("--config <file>", "default: receiver.yaml in that folder, if there is one");
  command("serve", "runs the receiver until it is told to stop").action(async (options: SiteOptions) => {
    code = await serve(open, options);
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return fail(NAME, error);
  }
}

process.exitCode = await main(process.argv);
// Nothing that is left over, such as an idle connection, may keep a finished command alive.
process.exit();
