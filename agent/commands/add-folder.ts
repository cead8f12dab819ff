/** `add-folder`: a folder becomes a source, written into agent.yaml; a running agent takes it up within seconds. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { actAsOwnerOf } from "@tributary/shared/account.ts";
import { writeDurably } from "@tributary/shared/durable.ts";
import { makeFolder } from "@tributary/shared/folder.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { parseSettings } from "@tributary/shared/settings.ts";
import { say } from "@tributary/shared/terminal.ts";
import { type Command, Option } from "commander";
import { agentSettings, placed } from "../config.ts";
import { loadIdentity } from "../identity/identity.ts";
import { folderWarnings, refuseFolder } from "./folder-place.ts";
import { type PlaceOptions, placeOf, withPlace } from "./place.ts";
import { putSource, type SourceEntry } from "./source-entry.ts";

interface Options extends PlaceOptions {
  readonly name: string;
  readonly client?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly settle?: string;
  readonly rescan?: string;
  readonly rehash?: string;
  readonly after?: string;
  readonly capture?: string;
  readonly snapshotGrowing?: string;
  readonly share?: boolean;
  readonly crossMounts?: boolean;
  readonly removals?: boolean;
}

/** Takes the root as it is now for the source's own: the next healthy look remembers it. */
export type AcceptRoot = (data: string, client: string, source: string) => void;

const several = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

export function addAddFolder(program: Command, acceptRoot: AcceptRoot): void {
  withPlace(
    program
      .command("add-folder")
      .summary("capture a folder")
      .description(
        "Captures a folder: writes it into agent.yaml, whose comments and order stay. Repeated with the same path and name it changes the options that are named, and accepts the folder as it now is (after it was replaced).",
      )
      .argument("<path>", "the folder")
      .requiredOption("--name <source>", "the source's name, unique per client")
      .option("--client <client>", "whose files these are; needed when the agent acts for several")
      .option("--include <glob>", "capture only these; may be repeated", several)
      .option("--exclude <glob>", "never capture these; may be repeated", several)
      .option("--settle <time>", "how long a file must hold still (default: 2s)")
      .option("--rescan <time>", "how often everything is looked at (default: 5m)")
      .option("--rehash <time>", "re-read every file on this cycle (default: never)")
      .option("--after <action>", "keep, delete or move:DIR once the receipt is here (default: keep)")
      .addOption(
        new Option(
          "--capture <how>",
          "copy: no version is lost while the receiver is away (default: in-place)",
        ).choices(["in-place", "copy"]),
      )
      .option("--snapshot-growing <time>", "capture a file that never rests after this time (default: never)")
      .option("--share", "the folder lies on a network share")
      .option("--cross-mounts", "also descend into file systems mounted below the folder")
      .option("--no-removals", "do not report files that vanish"),
    { asCaller: true },
  ).action((path: string, options: Options) => addFolder(path, options, acceptRoot));
}

function addFolder(path: string, options: Options, acceptRoot: AcceptRoot): void {
  const { data, config } = placeOf(options);
  const folder = resolve(path);
  requireSlug("--name", options.name);
  const clients = loadIdentity(data)?.clients;
  const client = clientFor(options.client, clients);
  refuseFolder(folder, data);
  const before = existsSync(config) ? readFileSync(config, "utf8") : "";
  const settings = placed(parseSettings(before, config, agentSettings), config);
  const only = clients?.length === 1 ? clients[0] : undefined;
  const { text, known } = putSource(before, entryOf(folder, options, client), only, dirname(config));
  parseSettings(text, config, agentSettings);
  for (const warning of folderWarnings(folder, options.name, data, settings.sources))
    say(`warning: ${warning}`);
  if (text !== before) write(config, text);
  const owner = client ?? only;
  if (known && owner !== undefined) {
    // The settings are root's to write, the queue is the account's.
    actAsOwnerOf(data);
    acceptRoot(data, owner, options.name);
  }
  say(
    known
      ? `source ${options.name} was there already; its folder ${folder} is accepted as it now is`
      : `source ${options.name}: ${folder}${owner === undefined ? "" : `, for ${owner}`}; written to ${config}`,
  );
}

/**
 * A link stays a link: the file behind it is replaced. A group that could read it still can; of a new file it can where
 * the folder gives what is made in it to its group, as the packages make theirs.
 */
function write(config: string, text: string): void {
  makeFolder(dirname(config), { mode: 0o700, fresh: false });
  const file = existsSync(config) ? realpathSync(config) : config;
  const isNew = !existsSync(file);
  const { uid, gid, mode } = statSync(isNew ? dirname(file) : file);
  const shared = (mode & 0o040) !== 0 && (!isNew || (mode & 0o2000) !== 0);
  writeDurably(file, text, shared ? 0o640 : 0o600, { uid, gid });
}

function requireSlug(option: string, value: string): void {
  const checked = slug.safeParse(value);
  if (!checked.success)
    throw new ProblemError("usage", `${option} "${value}": expected ${checked.error.issues[0]?.message}`);
}

/** The client to write down; undefined when the agent has only one, or never enrolled. */
function clientFor(given: string | undefined, clients: readonly string[] | undefined): string | undefined {
  if (given === undefined) {
    if (clients === undefined || clients.length === 1) return undefined;
    throw new ProblemError(
      "usage",
      `this agent acts for several clients; say whose files these are: --client ${clients.join(" | --client ")}`,
    );
  }
  requireSlug("--client", given);
  if (clients !== undefined && !clients.includes(given))
    throw new ProblemError(
      "usage",
      `this agent does not act for the client "${given}", only for ${clients.join(", ")}; invite it anew to change that`,
    );
  return given;
}

function entryOf(path: string, options: Options, client: string | undefined): SourceEntry {
  const { name, include, exclude, settle, rescan, rehash, after, capture, snapshotGrowing } = options;
  const named = {
    include,
    exclude,
    settle,
    rescan,
    rehash,
    after,
    capture,
    snapshotGrowing,
    share: options.share,
    crossMounts: options.crossMounts,
    removals: options.removals === false ? false : undefined,
  };
  return {
    name,
    ...(client === undefined ? {} : { client }),
    path,
    ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
  };
}
