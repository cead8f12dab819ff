/** `quarantine`: what inspection held back, and how an operator lets it out. */
import { userInfo } from "node:os";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { list, printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import type { Release } from "../ledger/ledger.ts";
import { listQuarantined } from "../ledger/quarantine.ts";
import type { OpenSite } from "../site.ts";
import { type Sites, siteCommand, withLedger, withSite } from "./command.ts";

/** Makes a version of what is held; handed in by main.ts. */
export type ReleaseHeld = (site: OpenSite, id: string, release: Release) => Promise<DeliveryAnswer>;

interface ListOptions extends SiteOptions {
  readonly client?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

interface ReleaseOptions extends SiteOptions {
  readonly reason: string;
  readonly overNewer?: boolean;
}

export function addQuarantineCommands(program: Command, sites: Sites, release: ReleaseHeld): void {
  const quarantine = program.command("quarantine").description("what inspection held back");
  siteCommand(quarantine, "list", "lists what is held, in the order of its arrival")
    .option("--client <name>", "only what this client sent")
    .option("--all", "what was released too, with the reason")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { client, all = false, json = false } = options;
        const files = listQuarantined(db, { client, released: all });
        if (json) {
          for await (const file of files) result(JSON.stringify(file));
          return;
        }
        const rows = (await Array.fromAsync(files)).map((file) => ({
          ...file,
          size: formatBytes(file.size),
          file: `${file.client}/${file.source}/${file.path}`,
        }));
        const more = all ? (["releasedAt", "releasedBy", "reason"] as const) : [];
        list(rows, false, ["id", "arrivedAt", "size", "finding", "file", ...more]);
      }),
    );
  siteCommand(
    quarantine,
    "release <id>",
    "publishes what is held; its sender gets the receipt when it asks again",
  )
    .requiredOption("--reason <text>", "why; it is kept")
    .option("--over-newer", "also when its path has got a newer entry since it came")
    .action((id: string, options: ReleaseOptions) =>
      withSite(sites, options, async (site) => {
        const { reason, overNewer = false } = options;
        const by = who();
        const { status, client, source, path, versionId } = await release(site, id, {
          by,
          reason,
          overNewer,
        });
        const file = printable(`${client}/${source}/${path}`);
        result(versionId);
        say(
          status === "unchanged"
            ? `${file} is released; its newest version has the same bytes already`
            : `${file} is released`,
        );
      }),
    );
}

/** In a container the account may have no name. */
function who(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
