/** `sftp`: the accounts of the SFTP door, and what proves the receiver there. */
import { list, result, say } from "@tributary/shared/terminal.ts";
import { type Command, Option } from "commander";
import { addAccount, limitAccount, revokeAccount } from "../administration/accounts.ts";
import type { ReceiverSettings, SiteOptions } from "../config.ts";
import { type AccountView, listAccounts } from "../identity/sftp-accounts.ts";
import { collect } from "./collect.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";
import {
  type BearerLimitOptions,
  bearerLimits,
  limitWords,
  showBearerLimits,
  viewOfLimits,
  withBearerLimits,
} from "./limit-options.ts";
import { addSftpCredentialCommands, type CredentialOptions, credentialsOf } from "./sftp-credentials.ts";
import { addSftpHostKeyCommand, sftpPlace } from "./sftp-host-key.ts";
import { onCommand } from "./who.ts";

interface AddOptions extends BearerLimitOptions, CredentialOptions {
  readonly client: string;
  readonly user: string;
  readonly source?: string;
  readonly defaultSource?: string;
  readonly access: AccountView["access"];
  readonly removals: AccountView["removals"];
  readonly history?: boolean;
  readonly receipts?: boolean;
}

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}

const COLUMNS = [
  ...(["user", "client", "source", "access", "auth", "limits"] as const),
  ...(["lastLogin", "createdAt", "revokedAt"] as const),
] as const;

export function addSftpCommands(program: Command, sites: Sites): void {
  const sftp = program.command("sftp").description("accounts for SFTP, and the receiver's host keys there");
  withBearerLimits(
    siteCommand(sftp, "add", "makes an account and prints its id, which entries and receipts name")
      .requiredOption("--client <name>", "whose files it brings")
      .requiredOption("--user <user>", "the name to log in with")
      .option(
        "--public-key <file>",
        "public keys to log in with, one a line; may be given several times",
        collect,
      )
      .option("--password-stdin", "a password to log in with: one line of the input")
      .option("--source <source>", "the only source it may touch")
      .option(
        "--default-source <source>",
        "where a file goes that is put beside the sources (default: its source, else sftp)",
      )
      .addOption(
        new Option("--access <access>", "what it may do with what is there")
          .choices(["write", "read-write"])
          .default("write"),
      )
      .addOption(
        new Option("--removals <what>", "what becomes of removing a file: an entry, or an error")
          .choices(["record", "refuse"])
          .default("record"),
      )
      .option("--history", "it sees older versions too; with read-write")
      .option("--receipts", "it can fetch the receipts of its files"),
  ).action((options: AddOptions) =>
    withLedger(sites, options, async ({ database: { db }, settings }) => {
      const id = await addAccount(onCommand(db), {
        ...{ client: options.client, user: options.user },
        ...(await credentialsOf(options)),
        ...{ source: options.source, defaultSource: options.defaultSource },
        ...{ access: options.access, removals: options.removals },
        ...{ history: options.history === true, receipts: options.receipts === true },
        limits: bearerLimits(options),
      });
      result(id);
      say(howToConnect(settings, options.user));
    }),
  );
  siteCommand(sftp, "list", "lists the accounts, revoked ones too")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const accounts = await listAccounts(db);
        if (options.json) list(accounts.map(viewOf), true, []);
        else list(accounts.map(lineOf), false, COLUMNS);
      }),
    );
  withBearerLimits(
    siteCommand(
      sftp,
      "limit <user>",
      "shows or sets limits of one account, narrower than its client's; `default` takes one back",
    ),
  ).action((user: string, options: BearerLimitOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await showBearerLimits(db, await limitAccount(onCommand(db), user, bearerLimits(options)));
    }),
  );
  siteCommand(sftp, "revoke <user>", "takes an account back, for good").action(
    (user: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        await revokeAccount(onCommand(db), user);
        say(`the SFTP account "${user}" is revoked; its sessions end within 5 s`);
      }),
  );
  addSftpCredentialCommands(sftp, sites);
  addSftpHostKeyCommand(sftp, sites);
}

function howToConnect(settings: ReceiverSettings, user: string): string {
  const place = sftpPlace(settings);
  if (place === undefined)
    return "the SFTP door is off: set listen.sftp in receiver.yaml, such as 0.0.0.0:2222, and restart the receiver";
  return `connect with: sftp -P ${place.port} ${user}@${place.host}; what proves this receiver to its clients: tributary-receiver sftp host-key`;
}

function viewOf({ limits, ...account }: AccountView) {
  return { ...account, limits: viewOfLimits(limits) };
}

function lineOf({ limits, keys, password, lastLoginAt, lastLoginFrom, ...account }: AccountView) {
  const auth = [
    ...(keys.length === 0 ? [] : [keys.length === 1 ? "1 key" : `${keys.length} keys`]),
    ...(password ? ["password"] : []),
  ];
  return {
    ...account,
    auth: auth.join(" and "),
    limits: limitWords(limits, null),
    lastLogin: lastLoginAt === null ? null : `${lastLoginAt} from ${lastLoginFrom ?? "?"}`,
  };
}
