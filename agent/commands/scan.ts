/** `scan --dry-run`: what `run` would capture, what it leaves out and why. Nothing is captured, nothing is sent. */

import { displayPath, encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { EXIT, Progress, printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { isCertified, loadAgentSettings, type SourceSettings } from "../config.ts";
import { loadIdentity } from "../identity/identity.ts";
import { readAuthority, trustByDefault } from "../identity/trust.ts";
import { type OpenTools, openSource } from "../open-source.ts";
import { owned } from "../owner.ts";
import { openSecrets } from "../secret/secrets.ts";
import { settleTime } from "../settle/settle.ts";
import { type Finding, findings, type Known } from "./findings.ts";
import { type PlaceOptions, placeToRead, withPlace } from "./place.ts";

interface Options extends PlaceOptions {
  readonly dryRun: true;
  readonly source?: string;
  readonly json?: boolean;
}

/** What is known of a source's files, until `close`; undefined: nothing. It must not write: this only looks. */
export type LookInto = (
  data: string,
  client: string,
  source: string,
) => { readonly known: Known; close(): void } | undefined;

export function addScan(program: Command, lookInto: LookInto, redactor: Redactor): void {
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
    const { data, config } = placeToRead(options);
    const settings = loadAgentSettings(config);
    const all = settings.sources;
    const sources = all.filter(({ name }) => options.source === undefined || name === options.source);
    if (sources.length === 0)
      throw new ProblemError(
        "usage",
        options.source === undefined
          ? `${config} has no sources; add one with: tributary-agent add-folder PATH --name SOURCE`
          : `${config} has no source "${options.source}"`,
      );
    if (sources.some(isCertified)) trustByDefault(readAuthority(settings.tls.ca));
    const { redact } = redactor;
    const tools: OpenTools = {
      data,
      secrets: openSecrets({ data, config, env: process.env, redactor, warn: say }),
      warn: (source, text) => say(`${source}: ${redact(text)}`),
    };
    const clients = loadIdentity(data)?.clients;
    const owners = clients && (await owned(all, clients, data));
    let failed = 0;
    for (const source of sources) {
      const found = owners?.find((one) => one.source === source);
      // One that cannot be looked through says so; the others are shown all the same.
      const looked = found?.client === undefined ? undefined : lookInto(data, found.client, source.name);
      try {
        const wrong = found?.refused
          ? `${found.refused.says}; ${found.refused.todo}`
          : await scan(source, tools, looked?.known, options.json === true, redact);
        if (wrong === undefined) continue;
        failed += 1;
        say(`${source.name}: ${printable(redact(wrong))}`);
      } finally {
        looked?.close();
      }
    }
    if (failed === 0) return;
    say(failed === 1 ? "one source was not looked through" : `${failed} sources were not looked through`);
    process.exitCode = EXIT.failed;
  });
}

/** Why the source cannot be looked through now; undefined when it was. */
async function scan(
  settings: SourceSettings,
  tools: OpenTools,
  known: Known | undefined,
  json: boolean,
  redact: (text: string) => string,
): Promise<string | undefined> {
  const { name, removals } = settings;
  await using opened = await openSource(settings, tools);
  const { source } = opened;
  const health = await source.health();
  if (!health.healthy) return `${health.reason} (${health.code})`;
  const counts = { capture: 0, waits: 0, held: 0, skipped: 0, gone: 0, unchanged: 0 };
  const progress = new Progress();
  await findings(source, known, settleTime(settings.settle, source.tells), Date.now, (found) => {
    const finding = { ...found, reason: redact(found.reason) };
    counts[finding.what] += 1;
    if (finding.what !== "unchanged")
      result(json ? JSON.stringify(viewOf(name, finding)) : lineOf(name, finding));
    else progress.show(() => `${counts.unchanged} unchanged files so far`);
  });
  const { capture, waits, held, skipped, gone, unchanged } = counts;
  say(
    `${name}: ${capture} to capture, ${waits} wait, ${held} cannot be captured now, ${skipped} left out, ${gone} gone, ${unchanged} unchanged`,
  );
  if (gone > 0 && !removals) say(`${name}: what is gone is not reported: removals: false`);
  return undefined;
}

function viewOf(source: string, { path, what, reason, size }: Finding) {
  return { source, path: displayPath(path), pathEncoded: encodePath(path), what, reason, size: size ?? null };
}

function lineOf(source: string, { path, what, reason, size }: Finding): string {
  const bytes = size === undefined ? "" : `, ${formatBytes(size)}`;
  return `${what.padEnd(8)} ${source}/${printable(displayPath(path))} (${printable(reason)}${bytes})`;
}
