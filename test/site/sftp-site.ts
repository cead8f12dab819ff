/** A site whose SFTP door is open, and accounts there as an operator makes them. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "@tributary/shared/protocol.ts";
import { type Backend, onDirectoryAndSqlite } from "./backends.ts";
import { ok } from "./process.ts";
import type { Site } from "./site.ts";

/** What a client was given, and what it has itself. */
export interface Login {
  readonly user: string;
  readonly port: number;
  /** Private key; undefined: a password alone. */
  readonly key?: string | undefined;
  readonly password?: string | undefined;
  readonly knownHosts: string;
  /** The account's id, which entries name. */
  readonly id: string;
}

export interface AccountOptions {
  readonly client?: string;
  /** For ssh-keygen; default: Ed25519. */
  readonly key?: readonly string[] | "none";
  readonly password?: string;
  readonly more?: readonly string[];
}

export interface SftpSite {
  readonly site: Site;
  readonly port: number;
  account(user: string, options?: AccountOptions): Promise<Login>;
  /** Paths of the newest entries that are versions, with their digests. */
  newest(client: string, source: string): Promise<ReadonlyMap<string, string>>;
  entries(...args: string[]): Promise<Entry[]>;
}

/** With the client `demo`. `receiver`: more of receiver.yaml. */
export async function makeSftpSite(
  receiver: Readonly<Record<string, unknown>> = {},
  backend: Backend = onDirectoryAndSqlite,
): Promise<SftpSite> {
  const { site } = await backend.site({ sftp: true, receiver });
  const port = site.sftpPort;
  await site.command("client", "add", "demo");
  const knownHosts = join(site.dir, "known_hosts");
  writeFileSync(knownHosts, `${await site.command("sftp", "host-key")}\n`);
  const entries = async (...args: string[]) => await site.history(...args);
  return {
    site,
    port,
    entries,
    account: async (user, { client = "demo", key = ["-t", "ed25519"], password, more = [] } = {}) => {
      const file = key === "none" ? undefined : join(site.dir, `key-${user}`);
      const options = ["--client", client, "--user", user, ...more];
      if (file !== undefined && key !== "none") {
        execFileSync("ssh-keygen", ["-q", "-N", "", "-C", user, "-f", file, ...key]);
        options.push("--public-key", `${file}.pub`);
      }
      if (password !== undefined) options.push("--password-stdin");
      const id = await ok("receiver", ["sftp", "add", ...options, ...site.at], {
        stdin: `${password ?? ""}\n`,
      });
      return { user, port, key: file, password, knownHosts, id };
    },
    newest: async (client, source) => {
      const found = await entries("--client", client, "--source", source, "--latest");
      return new Map(
        found.flatMap((e) => (e.kind === "version" ? [[e.pathEncoded, e.sha256 ?? ""] as const] : [])),
      );
    },
  };
}
