/** `rebuild`: the ledger's entries out of the lake alone. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Progress, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { readSite, type SiteOptions } from "../config.ts";
import { listClients } from "../ledger/clients.ts";
import { rebuild } from "../ledger/rebuild.ts";
import { createSegments } from "../ledger/segments.ts";
import { ManifestTail, unwrittenSegmentsOf } from "../tail/manifest.ts";
import { manifestLines, segmentDays } from "../tail/manifest-read.ts";
import { noSite, type Sites, siteCommand, using } from "./command.ts";
import { onSite } from "./who.ts";

interface RebuildOptions extends SiteOptions {
  readonly merge?: boolean;
}

export function addRebuildCommand(program: Command, sites: Sites): void {
  siteCommand(program, "rebuild", "restores all entries from the lake's manifest; serve must not run")
    .option("--merge", "join them with the entries that the ledger has, after an old backup was restored")
    .action((options: RebuildOptions) => {
      requireRemains(options);
      return using(sites.open(options), async ({ database, lake, data }) => {
        const progress = new Progress();
        const days = await segmentDays(lake);
        if (days.length === 0 && (await listClients(database.db)).length === 0)
          throw noSite(
            `the lake of ${options.config ?? data} holds no manifest, so there is nothing to restore`,
          );
        let segments = 0;
        const lines = manifestLines(lake, days, () => {
          segments += 1;
        });
        const merge = options.merge === true;
        const done = await onSite(
          database.db,
          "site.rebuild",
          { merge },
          () =>
            rebuild(database, lines, {
              merge,
              progress: (lines) => progress.show(() => `${lines} entries read`),
            }),
          ({ added, kept, renumbered, duplicates }) => ({ added, kept, renumbered, duplicates }),
        );
        progress.end(
          `${done.added} entries restored from ${segments} segments, ${done.kept} were there already`,
        );
        if (done.renumbered > 0)
          say(`${done.renumbered} of them got a new place in the order: theirs was taken`);
        if (done.duplicates > 0)
          say(`${done.duplicates} left out: the same captures are there under other versions`);
        for (const { from, to } of done.gaps)
          say(`entries ${from} to ${to} are in no segment of the manifest`);
        if (done.gaps.length > 0) {
          process.exitCode = 1;
          say(
            "all else is restored; put the missing objects of manifest/ back from a copy of the lake, then: tributary-receiver rebuild --merge",
          );
        }
        if (await isAnything(lake.list("quarantine/")))
          say(
            "what lies in quarantine/ is in no manifest: held is what the ledger says, and the sweep leaves all that came before now",
          );
        say(
          "agents, keys, SFTP accounts and quotas are not in the lake: they come from a backup, or are made anew",
        );
        if (done.renumbered > 0)
          await new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db)).catchUp(0);
      });
    });
}

async function isAnything(some: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of some) return true;
  return false;
}

/** What a rebuild needs besides the ledger, which may be lost. New keys would make it another site. */
function requireRemains(options: SiteOptions): void {
  const { data, keys, settings } = readSite(options);
  if (!existsSync(join(keys, "site.json")))
    throw noSite(`there are no keys of a site in ${keys}, and a rebuild needs them: copy them back first`);
  const { lake } = settings;
  const folder = lake.kind === "directory" ? resolve(data, lake.path ?? "lake") : undefined;
  if (folder !== undefined && !existsSync(folder))
    throw noSite(
      `there is no lake in ${folder} to rebuild from: is the disk mounted there, and is lake.path right?`,
    );
}
