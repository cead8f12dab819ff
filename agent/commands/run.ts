/** `run`: the agent at work, until it is told to stop: a signal, or the end of its input under a Windows service. */

import type { Redactor } from "@tributary/shared/redactor.ts";
import { say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { Log } from "../report/log.ts";
import { type PlaceOptions, placeToRead, withPlace } from "./place.ts";

/** The agent's loop; resolves with the exit code. */
export type Run = (options: {
  readonly data: string;
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly redactor: Redactor;
}) => Promise<number>;

export function addRun(program: Command, run: Run, redactor: Redactor): void {
  withPlace(
    program
      .command("run")
      .summary("capture and send, until stopped")
      .description(
        "Watches the configured folders and sends what it finds, until it is stopped (SIGTERM, Ctrl-C). A changed agent.yaml counts within 5 s. Logs to standard error: one line per event on a terminal, JSON lines elsewhere.",
      ),
  ).action(async (options: PlaceOptions) => {
    const { data, config } = placeToRead(options);
    // Loaded only here: the short commands need none of it.
    const [{ pino }, { logTo }] = await Promise.all([import("pino"), import("../report/log.ts")]);
    const terminal = process.stderr.isTTY === true;
    const log = logTo(pino.destination({ fd: 2, sync: true }), terminal, "info", redactor.redact);
    const stop = stopSignal();
    process.exitCode = await run({ data, config, env: process.env, log, stop, redactor });
    // A probe that waits for a silent receiver must not hold the process.
    process.exit();
  });
}

/** The first wish to stop is a request, the second an order. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const wish = (why: string): void => {
    if (stop.signal.aborted) {
      say("tributary-agent: stopped at once; what was on its way goes on after the next start");
      process.exit(1);
    }
    stop.abort(new Error(why));
  };
  process.on("SIGTERM", () => wish("SIGTERM"));
  process.on("SIGINT", () => wish("SIGINT"));
  if (process.env["TRIBUTARY_STOP_ON_STDIN_EOF"] === "1")
    process.stdin.resume().once("end", () => wish("the end of the input"));
  return stop.signal;
}
