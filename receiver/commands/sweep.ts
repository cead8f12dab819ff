/** `sweep`: takes away now what `serve` takes away from time to time. */
import { say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import type { OpenSite } from "../site.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";

/** Sweeps the site once; handed in by main.ts. */
export type Sweep = (site: OpenSite) => Promise<{
  readonly uploads: number;
  readonly multiparts: number;
  readonly objects: number;
}>;

export function addSweepCommand(program: Command, sites: Sites, sweep: Sweep): void {
  siteCommand(
    program,
    "sweep",
    "takes away abandoned uploads and spare objects that are older than sweep: in receiver.yaml says",
  ).action((options: SiteOptions) => {
    return withSite(sites, options, async (site) => {
      const { uploads, multiparts, objects } = await sweep(site);
      say(`taken away: ${uploads} uploads, ${multiparts} multiparts, ${objects} objects`);
    });
  });
}
