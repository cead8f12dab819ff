/** `retry`: what was set aside goes again, once its reason is gone. */
import { encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { printable, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { requireIdentity } from "../identity/identity.ts";
import type { Aside } from "../queue/aside.ts";
import { type PlaceOptions, placeOf, withPlace } from "./place.ts";
import type { IsRunning } from "./status.ts";

interface Options extends PlaceOptions {
  readonly source?: string;
  readonly client?: string;
}

/** Asks for what `wanted` picks out of all that is set aside; how many that are. */
export type AskRetry = (data: string, wanted: (aside: Aside) => boolean) => number;

export function addRetry(program: Command, askRetry: AskRetry, isRunning: IsRunning): void {
  withPlace(
    program
      .command("retry")
      .summary("send again what was set aside")
      .description(
        "Puts what was set aside back into the queue, in its turn: before what was sealed of the same path since. For when its reason is gone; what the receiver still refuses is set aside again.",
      )
      .argument("[path]", "only this path inside its source, as `status` shows it")
      .option("--source <source>", "only of this source")
      .option("--client <client>", "only of this client"),
  ).action((path: string | undefined, options: Options) => {
    const { data } = placeOf(options);
    requireIdentity(data);
    const { source, client } = options;
    const named = path === undefined ? undefined : Buffer.from(path);
    const count = askRetry(
      data,
      (aside) =>
        (source === undefined || aside.source === source) &&
        (client === undefined || aside.client === client) &&
        (named === undefined || aside.path.equals(named) || encodePath(aside.path) === path),
    );
    if (count === 0)
      throw new ProblemError(
        "not-found",
        `nothing${path === undefined ? "" : ` of ${printable(path)}`} is set aside${source === undefined ? "" : ` in source ${source}`}; see: tributary-agent status`,
      );
    const what = count === 1 ? "one capture goes" : `${count} captures go`;
    say(`${what} again ${isRunning(data) ? "within 5 s" : "when the agent runs: tributary-agent run"}`);
  });
}
