/** `sweep`: takes away now what `serve` takes away from time to time. */
import { EXIT, printable, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import type { OpenSite } from "../site.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";
import { onSite } from "./who.ts";

/** Sweeps the site once, and tells what could not be taken away; handed in by main.ts. */
export type Sweep = (
  site: OpenSite,
  skipped: (what: string, error: unknown) => void,
) => Promise<{
  readonly uploads: number;
  readonly multiparts: number;
  readonly objects: number;
  readonly skipped: number;
}>;

export function addSweepCommand(program: Command, sites: Sites, sweep: Sweep): void {
  siteCommand(
    program,
    "sweep",
    "takes away abandoned uploads and spare objects that are older than sweep: in receiver.yaml says",
  ).action((options: SiteOptions) => {
    return withSite(sites, options, async (site) => {
      const { uploads, multiparts, objects, skipped } = await onSite(
        site.database.db,
        "site.sweep",
        null,
        () =>
          sweep(site, (what, error) =>
            say(`${printable(what)} stays: ${error instanceof Error ? error.message : String(error)}`),
          ),
        ({ uploads, multiparts, objects, skipped }) => ({ uploads, multiparts, objects, skipped }),
      );
      say(`taken away: ${uploads} uploads, ${multiparts} multiparts, ${objects} objects`);
      if (skipped === 0) return;
      say(`${skipped} could not be taken away; run this again when the reason is gone`);
      process.exitCode = EXIT.failed;
    });
  });
}
