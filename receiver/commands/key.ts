/** `key`: API keys for programs that bring files without an agent. */
import { list, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { addKey, revokeKey, setKeyLimits } from "../administration/keys.ts";
import type { SiteOptions } from "../config.ts";
import { type ApiKeyView, listApiKeys, parseApiKey } from "../identity/apikeys.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";
import {
  type BearerLimitOptions,
  bearerLimits,
  limitWords,
  showBearerLimits,
  viewOfLimits,
  withBearerLimits,
} from "./limit-options.ts";
import { onCommand } from "./who.ts";

interface AddOptions extends BearerLimitOptions {
  readonly client: string;
  readonly name?: string;
  readonly source?: string;
  readonly scope?: string;
}

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}

const KEY_COLUMNS = ["id", "client", "name", "source", "scopes", "limits", "createdAt", "revokedAt"] as const;

export function addKeyCommands(program: Command, sites: Sites): void {
  const key = program.command("key").description("API keys, for programs that bring files without an agent");
  withBearerLimits(
    siteCommand(key, "add", "makes a key and prints it; it cannot be shown again")
      .requiredOption("--client <name>", "whose files it brings")
      .option("--name <name>", "what it is for")
      .option("--source <source>", "the only source it may touch")
      .option("--scope <acts>", "write, read, remove, separated by commas (default: write)"),
  ).action((options: AddOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      const scopes = options.scope?.split(",").map((act) => act.trim());
      const { client, name, source } = options;
      const limits = bearerLimits(options);
      const made = await addKey(onCommand(db), { client, name, source, scopes, limits });
      result(made);
      say(
        `keep it safe: it is shown only now; take it back with: tributary-receiver key revoke ${parseApiKey(made)?.id}`,
      );
    }),
  );
  siteCommand(key, "list", "lists the keys, revoked ones too")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const keys = await listApiKeys(db);
        if (options.json) list(keys.map(viewOf), true, []);
        else list(keys.map(lineOf), false, KEY_COLUMNS);
      }),
    );
  withBearerLimits(
    siteCommand(
      key,
      "limit <id>",
      "shows or sets limits of one key, narrower than its client's; `default` takes one back",
    ),
  ).action((id: string, options: BearerLimitOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await setKeyLimits(onCommand(db), id, bearerLimits(options));
      await showBearerLimits(db, id);
    }),
  );
  siteCommand(key, "revoke <id>", "takes a key back, for good").action((id: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await revokeKey(onCommand(db), id);
      say(`key ${id} is revoked; what it has open ends within 5 s`);
    }),
  );
}

function viewOf({ limits, ...key }: ApiKeyView) {
  return { ...key, limits: viewOfLimits(limits) };
}

function lineOf({ limits, ...key }: ApiKeyView) {
  return { ...key, limits: limitWords(limits, null) };
}
