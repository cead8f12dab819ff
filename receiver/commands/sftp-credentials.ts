/** `sftp key` and `sftp password`: what an SFTP account logs in with, and how that is exchanged while it lives. */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { ProblemError } from "@tributary/shared/problems.ts";
import { say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { addKeysToAccount, removeKeyOfAccount, setPasswordOfAccount } from "../administration/accounts.ts";
import type { SiteOptions } from "../config.ts";
import { hashPassword, LONGEST_PASSWORD } from "../identity/passwords.ts";
import { parsePublicKeys, type SshPublicKey } from "../identity/ssh-public-key.ts";
import { collect } from "./collect.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";
import { onCommand } from "./who.ts";

const SHORTEST_PASSWORD = 12;

export interface CredentialOptions {
  readonly publicKey?: readonly string[];
  readonly passwordStdin?: boolean;
}

interface KeyOptions extends SiteOptions {
  readonly publicKey: readonly string[];
}

interface PasswordOptions extends SiteOptions {
  readonly passwordStdin?: boolean;
  readonly none?: boolean;
}

export function addSftpCredentialCommands(sftp: Command, sites: Sites): void {
  const key = sftp.command("key").description("the public keys of an account");
  siteCommand(key, "add <user>", "lets the account log in with these keys too")
    .requiredOption("--public-key <file>", "one key a line; may be given several times", collect)
    .action((user: string, options: KeyOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const keys = keysOf(options.publicKey);
        await addKeysToAccount(onCommand(db), user, keys);
        for (const { fingerprint, comment } of keys)
          say(`"${user}" may log in with ${[fingerprint, comment].join(" ").trim()}`);
      }),
    );
  siteCommand(key, "remove <user> <fingerprint>", "takes a key from an account").action(
    (user: string, fingerprint: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        await removeKeyOfAccount(onCommand(db), user, fingerprint);
        say(`the key is taken from "${user}"; sessions that came in by it end within 5 s`);
      }),
  );
  siteCommand(sftp, "password <user>", "sets or takes away the password of an account")
    .option("--password-stdin", "the new password: one line of the input")
    .option("--none", "keys alone from now on")
    .action((user: string, options: PasswordOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        if ((options.passwordStdin === true) === (options.none === true))
          throw new ProblemError("usage", "give one of --password-stdin and --none");
        const hash = options.none ? null : await hashPassword(await readPassword());
        await setPasswordOfAccount(onCommand(db), user, hash);
        say(`done; sessions that came in by the password of before end within 5 s`);
      }),
    );
}

/** What the options of `sftp add` name. */
export async function credentialsOf({ publicKey = [], passwordStdin }: CredentialOptions): Promise<{
  readonly keys: readonly SshPublicKey[];
  readonly passwordHash: string | undefined;
}> {
  const keys = keysOf(publicKey);
  return { keys, passwordHash: passwordStdin ? await hashPassword(await readPassword()) : undefined };
}

function keysOf(files: readonly string[]): readonly SshPublicKey[] {
  return files.flatMap((file) => parsePublicKeys(readFileSync(file, "utf8"), file));
}

/** Throws `usage`. */
async function readPassword(): Promise<string> {
  const refused = (why: string) => new ProblemError("usage", `--password-stdin: ${why}`);
  if (process.stdin.isTTY)
    throw refused("a terminal would show what is typed; hand it over from a file or a program: … < FILE");
  const [password = "", ...more] = (await text(process.stdin)).replace(/\r?\n$/, "").split(/\r?\n/);
  if (more.length > 0) throw refused("the input has several lines; a password is one");
  if (password.includes("\ufffd")) throw refused("the input is not UTF-8, which passwords are in over SSH");
  if (password.length < SHORTEST_PASSWORD)
    throw refused(
      `the password is shorter than ${SHORTEST_PASSWORD} characters; a long random one costs nobody anything`,
    );
  if (Buffer.byteLength(password) > LONGEST_PASSWORD)
    throw refused(`the password is longer than ${LONGEST_PASSWORD} bytes`);
  return password;
}
