/** `scan --dry-run`: what `run` would capture, what it leaves out and why. Nothing is captured, nothing is sent. */

import { displayPath, encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Progress, printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { type FolderSettings, loadAgentSettings } from "../config.ts";
import { loadIdentity } from "../identity/identity.ts";
import type { Intake } from "../queue/queue.ts";
import { afterRule } from "../seal/after.ts";
import { folderSource } from "../source/folder.ts";
import { type Finding, findings } from "./findings.ts";
import { type PlaceOptions, placeOf, withPlace } from "./place.ts";

interface Options extends PlaceOptions {
  readonly dryRun: true;
  readonly source?: string;
  readonly json?: boolean;
}

/** What is known of a source's files; the answer's `close` ends it. */
export type OpenIntake = (
  data: string,
  client: string,
  source: string,
) => { readonly intake: Intake; close(): void };

export function addScan(program: Command, openIntake: OpenIntake): void {
  withPlace(
    program
      .command("scan")
      .summary("show what would be captured, and what is left out and why")
      .description(
        "Looks through the sources and shows what `run` would capture, what waits, and what is left out and why. Nothing is captured or sent; unchanged files are only counted.",
      )
      .requiredOption("--dry-run", "only look: the one thing that scan does, for `run` scans by itself")
      .option("--source <source>", "only this source")
      .option("--json", "one JSON object a line: source, path, pathEncoded, what, reason, size"),
  ).action(async (options: Options) => {
    const { data, config } = placeOf(options);
    const sources = loadAgentSettings(config).sources.filter(
      ({ name }) => options.source === undefined || name === options.source,
    );
    if (sources.length === 0)
      throw new ProblemError(
        "usage",
        options.source === undefined
          ? `${config} has no sources; add one with: tributary-agent add-folder PATH --name SOURCE`
          : `${config} has no source "${options.source}"`,
      );
    const clients = loadIdentity(data)?.clients;
    for (const source of sources) {
      const client = source.client ?? (clients?.length === 1 ? clients[0] : undefined);
      const known =
        clients === undefined || client === undefined ? undefined : openIntake(data, client, source.name);
      try {
        await scan(source, data, known?.intake, options.json === true);
      } finally {
        known?.close();
      }
    }
  });
}

async function scan(
  settings: FolderSettings,
  data: string,
  intake: Intake | undefined,
  json: boolean,
): Promise<void> {
  const { name, path, include, exclude, share, crossMounts, after, settle } = settings;
  const rule = afterRule(after, path);
  const ignored = [data, ...(rule?.kind === "move" ? [rule.to] : [])];
  const source = folderSource({ name, path, include, exclude, share, crossMounts, ignored });
  const health = await source.health();
  if (!health.healthy) throw new ProblemError(health.code, `source ${name}: ${health.reason}`);
  const counts = { capture: 0, waits: 0, held: 0, skipped: 0, gone: 0, unchanged: 0 };
  const progress = new Progress();
  for await (const finding of findings(source, intake, settle, Date.now)) {
    counts[finding.what] += 1;
    if (finding.what !== "unchanged")
      result(json ? JSON.stringify(viewOf(name, finding)) : lineOf(name, finding));
    else progress.show(() => `${counts.unchanged} unchanged files so far`);
  }
  const { capture, waits, held, skipped, gone, unchanged } = counts;
  say(
    `${name}: ${capture} to capture, ${waits} wait, ${held} cannot be captured now, ${skipped} left out, ${gone} gone, ${unchanged} unchanged`,
  );
}

function viewOf(source: string, { path, what, reason, size }: Finding) {
  return { source, path: displayPath(path), pathEncoded: encodePath(path), what, reason, size: size ?? null };
}

function lineOf(source: string, { path, what, reason, size }: Finding): string {
  const bytes = size === undefined ? "" : `, ${formatBytes(size)}`;
  return `${what.padEnd(8)} ${source}/${printable(displayPath(path))} (${printable(reason)}${bytes})`;
}
