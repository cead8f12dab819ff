/** `--data` and `--config`, which every command takes. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { dataFolder } from "@tributary/shared/place.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Command, Option } from "commander";

export interface Place {
  readonly data: string;
  /** agent.yaml. */
  readonly config: string;
}

export interface PlaceOptions {
  readonly data?: string;
  readonly config?: string;
}

/** Adds the two options; the rest of the program's commands look alike then. */
export function withPlace(command: Command): Command {
  return command
    .addOption(new Option("--data <dir>", "where the agent keeps its key, queue and settings"))
    .addOption(new Option("--config <file>", "its settings, instead of agent.yaml in the data folder"));
}

export function placeOf(options: PlaceOptions): Place {
  const data = dataFolder("agent", options.data);
  return { data, config: options.config === undefined ? join(data, "agent.yaml") : resolve(options.config) };
}

/** As `placeOf`, for commands that work by the settings: a file that was named must be there. Throws `usage`. */
export function placeToRead(options: PlaceOptions): Place {
  const place = placeOf(options);
  if (options.config !== undefined && !existsSync(place.config))
    throw new ProblemError(
      "usage",
      `--config ${place.config}: there is no such file; correct its name, or add a folder with the same --config first`,
    );
  return place;
}
