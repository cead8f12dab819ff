/** `diagnostics`: the bundle that the centre may ask for, made here, for hosts that allow nothing from afar, or cannot reach the receiver. */
import { resolve } from "node:path";
import { writeDurably } from "@tributary/shared/durable.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { loadAgentSettings } from "../config.ts";
import { requireIdentity } from "../identity/identity.ts";
import { readLive } from "../report/live.ts";
import { openSecrets } from "../secret/secrets.ts";
import { type PlaceOptions, placeToRead, withPlace } from "./place.ts";
import type { ReadQueue } from "./receipt.ts";
import type { IsRunning } from "./status.ts";

interface Options extends PlaceOptions {
  readonly out?: string;
}

export function addDiagnostics(
  program: Command,
  readQueue: ReadQueue,
  isRunning: IsRunning,
  redactor: Redactor,
): void {
  withPlace(
    program
      .command("diagnostics")
      .summary("what helps somebody far away to help, without secrets")
      .description(
        "Writes version, host, configuration, queue, problems and the checks of doctor that change nothing as JSON: with names of files, without secrets and without content of files. Lines of the log are only in what the receiver asks the running agent for. May run beside `run`.",
      )
      .option("--out <file>", "into this file, for its owner alone; default: to standard output"),
  ).action(async (options: Options) => {
    // Loaded only here: what runs for months need not hold it.
    const { makeBundle } = await import("../diagnostics/bundle.ts");
    const { data, config } = placeToRead(options);
    const identity = requireIdentity(data);
    const settings = loadAgentSettings(config);
    const secrets = openSecrets({ data, config, env: process.env, redactor, warn: () => undefined });
    const queue = readQueue(data, (status) => {
      const [depth, sources, problemCount] = [status.depth(), status.sources(), status.problemCount()];
      const [waiting, deliveries] = [status.waiting(MOST), status.deliveries(MOST)];
      const problems = status.problems(MOST);
      return {
        depth: () => depth,
        sources: () => sources,
        problemCount: () => problemCount,
        problems: () => problems,
        waiting: () => waiting,
        deliveries: () => deliveries,
      };
    });
    const { text } = await makeBundle({
      ...{ data, env: process.env, identity, settings, queue, secrets, redactor },
      live: isRunning(data) ? readLive(data) : undefined,
      log: [],
      now: () => new Date(),
    });
    if (options.out === undefined) return result(text);
    const file = resolve(options.out);
    writeDurably(file, `${text}\n`);
    say(`${file}: look through it before you send it; it names files and hosts`);
  });
}

const MOST = 100;
