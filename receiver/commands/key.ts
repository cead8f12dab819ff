/** `key`: API keys for programs that bring files without an agent. */
import { list, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import { addApiKey, listApiKeys, parseApiKey, revokeApiKey } from "../identity/apikeys.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";

interface AddOptions extends SiteOptions {
  readonly client: string;
  readonly name?: string;
  readonly source?: string;
  readonly scope?: string;
}

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}

export function addKeyCommands(program: Command, sites: Sites): void {
  const key = program.command("key").description("API keys, for programs that bring files without an agent");
  siteCommand(key, "add", "makes a key and prints it; it cannot be shown again")
    .requiredOption("--client <name>", "whose files it brings")
    .option("--name <name>", "what it is for")
    .option("--source <source>", "the only source it may touch")
    .option("--scope <acts>", "write, read, remove, separated by commas (default: write)")
    .action((options: AddOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const scopes = options.scope?.split(",").map((act) => act.trim());
        const { client, name, source } = options;
        const made = await addApiKey(db, { client, name, source, scopes });
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
        list(await listApiKeys(db), options.json === true, [
          "id",
          "client",
          "name",
          "source",
          "scopes",
          "createdAt",
          "revokedAt",
        ]);
      }),
    );
  siteCommand(key, "revoke <id>", "takes a key back, for good").action((id: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await revokeApiKey(db, id);
      say(`key ${id} is revoked; what it has open ends within 5 s`);
    }),
  );
}
