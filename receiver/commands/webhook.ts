/** `webhook`: who is told of arrivals, by signed requests. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { list, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { addWebhook, replayWebhook, revokeWebhook } from "../administration/webhooks.ts";
import type { SiteOptions } from "../config.ts";
import { requireSecretsKey } from "../identity/rotation.ts";
import { closeSecret } from "../identity/secretskey.ts";
import { allowedOf } from "../webhooks/address.ts";
import { refusalOf } from "../webhooks/lookup.ts";
import { parseUrl } from "../webhooks/register.ts";
import {
  type DeadLetterView,
  listDeadLetters,
  listWebhooks,
  type WebhookView,
} from "../webhooks/standing.ts";
import { ownerOf } from "../webhooks/webhook.ts";
import { type Sites, siteCommand, withLedger, withSite } from "./command.ts";
import { onCommand } from "./who.ts";

interface AddOptions extends SiteOptions {
  readonly client?: string;
  readonly source?: string;
  readonly name?: string;
  readonly from?: string;
}
interface ListOptions extends SiteOptions {
  readonly json?: boolean;
  readonly dead?: boolean;
}
interface ReplayOptions extends SiteOptions {
  readonly from?: string;
  /** True: all of them. */
  readonly dead?: readonly string[] | true;
}

const FROM = "a cursor, a time such as 2026-01-31T05:00:00Z, or beginning";

export function addWebhookCommands(program: Command, sites: Sites): void {
  const webhook = program
    .command("webhook")
    .description("who is told of arrivals, by requests signed after Standard Webhooks");
  siteCommand(
    webhook,
    "add <url>",
    "tells this address of arrivals; prints the secret that signs, which cannot be shown again",
  )
    .option("--client <name>", "only of this client; default: of all")
    .option("--source <source>", "only of this source")
    .option("--name <name>", "what it is for")
    .option("--from <place>", `${FROM}; default: what arrives from now on`)
    .action((text: string, options: AddOptions) =>
      withSite(sites, options, async ({ database: { db }, keys, settings }) => {
        const url = parseUrl(text);
        const { allow, proxy } = settings.webhooks;
        const refused = await refusalOf(url, allowedOf(allow), proxy !== undefined);
        if (refused !== undefined) throw new ProblemError("request-invalid", refused);
        const key = await requireSecretsKey(db, keys);
        const { client, source, name, from } = options;
        const { id, secret } = await addWebhook(
          onCommand(db),
          { url, client, source, name, from },
          (plain, of) => closeSecret(key, plain, ownerOf(of)),
        );
        result(secret);
        say(`webhook ${id}: keep its secret safe, it is shown only now; give it to whoever receives`);
        say(`take it back with: tributary-receiver webhook revoke ${id}`);
      }),
    );
  siteCommand(webhook, "list", "lists the webhooks and how they are, revoked ones too")
    .option("--dead", "lists the dead letters instead: what was told in vain for the last time")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const json = options.json === true;
        if (options.dead) list<DeadLetterView>(await listDeadLetters(db), json, DEAD);
        else list<WebhookView>(await listWebhooks(db), json, COLUMNS);
      }),
    );
  siteCommand(webhook, "revoke <id>", "tells it nothing more, for good").action(
    (id: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        await revokeWebhook(onCommand(db), id);
        say(`webhook ${id} is revoked; within 5 s it is told nothing more`);
      }),
  );
  siteCommand(
    webhook,
    "replay <id>",
    "tells it once more, from a place on or its dead letters; without either, what waits is told now",
  )
    .option("--from <place>", FROM)
    .option("--dead [event...]", "the dead letters: all, or these")
    .action((id: string, options: ReplayOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { from, dead } = options;
        const events = dead === true ? [] : dead;
        const replayed = await replayWebhook(onCommand(db), id, { from, dead: events });
        if (events !== undefined) say(`${replayed.dead} dead letters are sent again`);
        say(`webhook ${id} goes on within 5 s${from === undefined ? "" : ", from there"}`);
      }),
    );
}

const COLUMNS = [
  "id",
  "name",
  "client",
  "source",
  "state",
  "lag",
  "waiting",
  "dead",
  "lastSuccessAt",
  "lastFailure",
  "url",
] as const;
const DEAD = ["id", "webhook", "client", "source", "tries", "lastTriedAt", "lastFailure", "path"] as const;
