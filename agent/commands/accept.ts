/** `accept`: a source is somewhere else now, and that is meant: what is missing there may be removed again. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { printable, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { loadAgentSettings } from "../config.ts";
import { requireIdentity } from "../identity/identity.ts";
import { whereOf } from "../open-source.ts";
import { owned } from "../owner.ts";
import type { AcceptRoot } from "./add-folder.ts";
import { type PlaceOptions, placeToRead, withPlace } from "./place.ts";
import type { IsRunning } from "./status.ts";

interface Options extends PlaceOptions {
  readonly client?: string;
}

export function addAccept(program: Command, acceptRoot: AcceptRoot, isRunning: IsRunning): void {
  withPlace(
    program
      .command("accept")
      .summary("take a source's place, as it is now, for its own")
      .description(
        "For a source that shows root-changed: its server, bucket or folder is another one than before, and that is meant. Until then nothing is removed.",
      )
      .argument("<source>", "the source's name")
      .option("--client <client>", "whose source, where several clients have one of this name"),
  ).action(async (source: string, options: Options) => {
    const { data, config } = placeToRead(options);
    const { clients } = requireIdentity(data);
    const all = await owned(loadAgentSettings(config).sources, clients, data);
    const found = all.filter(
      (one) => one.source.name === source && (options.client === undefined || one.client === options.client),
    );
    const [one] = found;
    if (one === undefined)
      throw new ProblemError("usage", `${config} has no source "${source}"; see: tributary-agent status`);
    if (one.client === undefined)
      throw new ProblemError("usage", `source "${source}" ${one.refused.says}; ${one.refused.todo}`);
    if (found.length > 1)
      throw new ProblemError(
        "usage",
        `several clients have a source "${source}"; say whose: --client ${found.map(({ client }) => client).join(" | --client ")}`,
      );
    acceptRoot(data, one.client, source);
    say(
      `${source}: ${printable(whereOf(one.source))} is accepted as it is ${isRunning(data) ? "within 5 s" : "when the agent runs: tributary-agent run"}`,
    );
  });
}
