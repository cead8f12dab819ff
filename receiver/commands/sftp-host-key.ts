/** `sftp host-key`: what SFTP clients are told beforehand, so that they need not trust whoever answers first. */
import { list, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { Address, ReceiverSettings, SiteOptions } from "../config.ts";
import { replaceSftpHostKeys } from "../identity/sftp-hosting.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";
import { onSite } from "./who.ts";

interface HostKeyOptions extends SiteOptions {
  readonly json?: boolean;
  readonly replace?: boolean;
}

const SSH_PORT = 22;

export function addSftpHostKeyCommand(sftp: Command, sites: Sites): void {
  siteCommand(
    sftp,
    "host-key",
    "prints the receiver's SFTP host keys as lines of known_hosts; the first time it makes them",
  )
    .option("--json", "one JSON object a line")
    .option("--replace", "makes new ones: clients are warned until they have learned them")
    .action((options: HostKeyOptions) =>
      withSite(sites, options, async ({ database: { db }, keys: folder, siteKeys, settings }) => {
        if (options.replace)
          await onSite(db, "sftp.host-key", { step: "replace" }, () =>
            replaceSftpHostKeys(db, folder, Date.now()),
          );
        const host = hostOf(sftpPlace(settings));
        const views = (await siteKeys.sftpHostKeys()).map(({ algorithm, fingerprint, blob }) => {
          const publicKey = blob.toString("base64");
          return { algorithm, fingerprint, publicKey, knownHosts: `${host} ${algorithm} ${publicKey}` };
        });
        if (options.json) list(views, true, []);
        else for (const { knownHosts } of views) result(knownHosts);
        for (const { algorithm, fingerprint } of views) say(`${algorithm} ${fingerprint}`);
        if (options.replace)
          say(
            "copy the folder of keys to the site's other receivers, and restart all: until then they show the old keys",
          );
      }),
    );
}

/** For people to fill in. */
const HOST = "HOST";
/** All addresses of this host, and none that anybody could connect to. */
const ANY_HOST: readonly string[] = ["0.0.0.0", "::", "[::]"];

/** Where clients find the SFTP door, as far as the settings tell; undefined: it is off. */
export function sftpPlace({
  listen,
  publicUrl,
}: Pick<ReceiverSettings, "publicUrl"> & {
  readonly listen: Pick<ReceiverSettings["listen"], "sftp">;
}): Address | undefined {
  if (listen.sftp === undefined) return undefined;
  const { host: own, port } = listen.sftp;
  if (publicUrl !== undefined) return { host: new URL(publicUrl).hostname, port };
  return { host: ANY_HOST.includes(own) ? HOST : own, port };
}

/** As known_hosts has it: a port other than SSH's own stands after the bracketed host. */
function hostOf(place: Address | undefined): string {
  if (place === undefined) return HOST;
  const host = place.host.replace(/^\[(.*)\]$/, "$1");
  return place.port === SSH_PORT ? host : `[${host}]:${place.port}`;
}
