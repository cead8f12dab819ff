/** Where each program keeps its data and settings: --data, else TRIBUTARY_DATA, else the checkout in development, else the system's place. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isPackaged } from "./packaged.ts";

export type Side = "agent" | "receiver";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Root of the checkout, undefined when this is an installed program. */
  readonly checkout: string | undefined;
  readonly exists: (path: string) => boolean;
}

/**
 * The absolute data folder. TRIBUTARY_DATA names it for either program; where it holds one folder per side, as
 * `npm start` makes it, it is that side's.
 */
export function dataFolder(side: Side, given: string | undefined, around: Surroundings = here()): string {
  if (given !== undefined) return resolve(given);
  const named = around.env.TRIBUTARY_DATA;
  if (named) {
    const own = resolve(named, side);
    return around.exists(own) ? own : resolve(named);
  }
  if (around.checkout !== undefined) return join(around.checkout, ".tributary", side);
  switch (around.platform) {
    case "win32":
      return join(
        around.env.ProgramData ?? "C:\\ProgramData",
        "Tributary",
        side === "agent" ? "Agent" : "Receiver",
      );
    case "darwin":
      return join("/Library/Application Support/Tributary", side);
    default:
      return `/var/lib/tributary-${side}`;
  }
}

/**
 * The settings' file: `--config`, else in the data folder. An installed program on Linux whose data lies in the system's
 * place has its settings where administrators look for them.
 */
export function settingsFile(
  side: Side,
  given: { readonly data?: string | undefined; readonly config?: string | undefined },
  around: Surroundings = here(),
): string {
  if (given.config !== undefined) return resolve(given.config);
  const systemPlace =
    given.data === undefined &&
    !around.env.TRIBUTARY_DATA &&
    around.checkout === undefined &&
    around.platform === "linux";
  if (systemPlace) return `/etc/tributary-${side}/${side}.yaml`;
  return join(dataFolder(side, given.data, around), `${side}.yaml`);
}

function here(): Surroundings {
  return {
    env: process.env,
    platform: process.platform,
    checkout: isPackaged() ? undefined : dirname(dirname(import.meta.filename)),
    exists: existsSync,
  };
}
