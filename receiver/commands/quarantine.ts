/** `quarantine`: what inspection held back, and how an operator lets it out or discards it. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { list, printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { discardFile, releaseFile } from "../administration/quarantine.ts";
import type { SiteOptions } from "../config.ts";
import type { Discard } from "../ledger/discard.ts";
import type { Release } from "../ledger/ledger.ts";
import { listQuarantined, type QuarantinedFile } from "../ledger/quarantine.ts";
import type { OpenSite } from "../site.ts";
import { type Sites, siteCommand, withLedger, withSite } from "./command.ts";
import { onCommand } from "./who.ts";

/** Makes a version of what is held; handed in by main.ts. */
export type ReleaseHeld = (site: OpenSite, id: string, release: Release) => Promise<DeliveryAnswer>;

/** Discards what is held; handed in by main.ts. `before`: it was discarded already, as `file` says. */
export type DiscardHeld = (
  site: OpenSite,
  id: string,
  discard: Discard,
) => Promise<{ readonly file: QuarantinedFile; readonly before: boolean }>;

const MOST_REASON = 500;

interface ListOptions extends SiteOptions {
  readonly client?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

interface DeleteOptions extends SiteOptions {
  readonly reason: string;
}

interface ReleaseOptions extends DeleteOptions {
  readonly overNewer?: boolean;
}

export function addQuarantineCommands(
  program: Command,
  sites: Sites,
  release: ReleaseHeld,
  discard: DiscardHeld,
): void {
  const quarantine = program.command("quarantine").description("what inspection held back");
  siteCommand(quarantine, "list", "lists what is held, in the order of its arrival")
    .option("--client <name>", "only what this client sent")
    .option("--all", "what was released or discarded too, when, by whom and why")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { client, all = false, json = false } = options;
        const files = listQuarantined(db, { client, all });
        if (json) {
          for await (const file of files) result(JSON.stringify(file));
          return;
        }
        const rows = (await Array.fromAsync(files)).map((file) => ({
          ...file,
          size: formatBytes(file.size),
          file: `${file.client}/${file.source}/${file.path}`,
          endedAt: file.releasedAt ?? file.discardedAt,
          endedBy: file.releasedBy ?? file.discardedBy,
        }));
        const more = all ? (["state", "endedAt", "endedBy", "reason"] as const) : [];
        list(rows, false, ["id", "arrivedAt", "size", "finding", "file", ...more]);
      }),
    );
  siteCommand(
    quarantine,
    "release <id>",
    "publishes what is held; its sender gets the receipt when it asks again",
  )
    .requiredOption("--reason <text>", "why; it is kept")
    .option("--over-newer", "also when its path has got a newer state since it came")
    .action((id: string, options: ReleaseOptions) =>
      withSite(sites, options, async (site) => {
        const { overNewer = false } = options;
        const { status, client, source, path, versionId } = await releaseFile(
          onCommand(site.database.db),
          id,
          { reason: reasonOf(options), overNewer },
          (held, asked) => release(site, held, asked),
        );
        const file = printable(`${client}/${source}/${path}`);
        result(versionId);
        say(
          status === "unchanged"
            ? `${file} is released; its newest version has the same bytes already`
            : `${file} is released`,
        );
      }),
    );
  siteCommand(
    quarantine,
    "delete <id>",
    "discards what is held: its bytes go for good, the record of it stays, its sender is told",
  )
    .requiredOption("--reason <text>", "why; it is kept, and told to the sender")
    .action((id: string, options: DeleteOptions) =>
      withSite(sites, options, async (site) => {
        const { file, before } = await discardFile(
          onCommand(site.database.db),
          id,
          reasonOf(options),
          (held, asked) => discard(site, held, asked),
        );
        const name = printable(`${file.client}/${file.source}/${file.path}`);
        result(file.id);
        say(
          before
            ? `${name} was discarded already, at ${file.discardedAt}: ${printable(file.reason)}; none of its bytes are left`
            : `${name} is discarded, its ${formatBytes(file.size)} are gone`,
        );
      }),
    );
}

/** It is kept for ever, told to others and shown in one line. */
function reasonOf({ reason }: DeleteOptions): string {
  const text = reason.replaceAll(/[\p{Cc}\s]+/gu, " ").trim();
  if (text === "" || text.length > MOST_REASON)
    throw new ProblemError(
      "usage",
      `--reason: expected 1 to ${MOST_REASON} characters that say why; whoever reads the list later has nothing else`,
    );
  return text;
}
