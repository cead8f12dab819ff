/** `--data` and `--config`, which every command takes. */
import { existsSync } from "node:fs";
import { actAsOwnerOf } from "@tributary/shared/account.ts";
import { dataFolder, settingsFile } from "@tributary/shared/place.ts";
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

/**
 * Adds the two options; the rest of the program's commands look alike then. Run by root, they act as the account that
 * the data folder belongs to, unless they say `asCaller`.
 */
export function withPlace(command: Command, { asCaller = false } = {}): Command {
  return command
    .hook("preAction", (asked) => {
      if (!asCaller) actAsOwnerOf(placeOf(asked.opts()).data);
    })
    .addOption(new Option("--data <dir>", "where the agent keeps its key, queue and settings"))
    .addOption(new Option("--config <file>", "its settings, instead of agent.yaml in the data folder"));
}

export function placeOf(options: PlaceOptions): Place {
  return { data: dataFolder("agent", options.data), config: settingsFile("agent", options) };
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
