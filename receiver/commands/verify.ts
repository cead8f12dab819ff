/** `verify`: the lake is read again and compared with the ledger; whatever differs is one line, and exit code 1. */

import { ProblemError } from "@tributary/shared/problems.ts";
import { Progress, printable, result } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import { clientState } from "../ledger/clients.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";
import { verifyContent } from "./verify-content.ts";
import { verifyManifest } from "./verify-manifest.ts";

interface VerifyOptions extends SiteOptions {
  readonly client?: string;
}

export function addVerifyCommand(program: Command, sites: Sites): void {
  siteCommand(program, "verify", "reads the lake again and compares every size, digest and manifest line")
    .option("--client <name>", "only what this client brought")
    .action((options: VerifyOptions) => {
      return withSite(sites, options, async ({ database: { db }, lake }) => {
        const { client } = options;
        if (client !== undefined && !(await clientState(db, client)))
          throw new ProblemError(
            "not-found",
            `there is no client "${client}"; see: tributary-receiver client list`,
          );
        const progress = new Progress();
        let differences = 0;
        const differs = (line: string): void => {
          differences += 1;
          result(printable(line));
        };
        const content = await verifyContent(db, lake, client, differs, ({ versions, bytes }) =>
          progress.show(() => `${versions} versions, ${formatBytes(bytes)} read again`),
        );
        const lines = await verifyManifest(db, lake, client, differs, (count) =>
          progress.show(() => `${count} lines of the manifest compared`),
        );
        const what = `${content.versions} versions (${formatBytes(content.bytes)}) and ${lines} lines of the manifest`;
        if (differences === 0) return progress.end(`${what}: everything is as the ledger says`);
        progress.end(`${what}: ${differences} ${differences === 1 ? "difference" : "differences"}`);
        process.exitCode = 1;
      });
    });
}
