/** `authority` and `receipts`: the site's own keys are replaced without anybody losing the way. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import {
  agentsUnaware,
  announcePublic,
  nextAuthority,
  rotateReceipts,
  switchAuthority,
} from "../identity/rotation.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";
import { onSite } from "./who.ts";

export function addAuthorityCommands(program: Command, sites: Sites): void {
  const authority = program
    .command("authority")
    .description("the site's own TLS authority, and how trust moves");
  siteCommand(
    authority,
    "next",
    "makes the authority that comes next; agents learn of it by heartbeat",
  ).action((options: SiteOptions) =>
    withSite(sites, options, async ({ database: { db }, keys }) => {
      const { fingerprint, made } = await onSite(db, "site.authority", { step: "next" }, () =>
        nextAuthority(db, keys),
      );
      result(fingerprint);
      say(made ? "made and announced to the agents" : "it was made before and is announced");
      say("when every agent has reported (agent list): tributary-receiver authority switch");
    }),
  );
  siteCommand(authority, "switch", "makes the announced authority the current one")
    .option("--force", "also when agents have not heard of it: those must be invited anew")
    .action((options: SiteOptions & { readonly force?: boolean }) =>
      withSite(sites, options, async ({ database: { db }, keys }) => {
        const unaware = await agentsUnaware(db, keys);
        if (unaware.length > 0 && !options.force)
          throw new ProblemError(
            "forbidden",
            `${unaware.length} agents have not heard of the next authority and would not trust it: ${unaware.map(({ name }) => name).join(", ")}; wait for their heartbeat (agent list), or switch with --force and invite them anew`,
          );
        const { fingerprint, agents, agentsBehind, openCodes } = await onSite(
          db,
          "site.authority",
          { step: "switch", force: options.force === true },
          () => switchAuthority(db, keys),
        );
        result(fingerprint);
        say(
          `in use within 5 s; ${agents - agentsBehind.length} of ${agents} agents know it, the old one counts 90 more days`,
        );
        for (const { id, name } of agentsBehind)
          say(`agent ${name} (${id}) has not heard of it: it must be invited anew with --replaces ${id}`);
        if (openCodes > 0)
          say(`${openCodes} codes that were not used yet pin the old authority: make them anew`);
      }),
    );
  siteCommand(
    authority,
    "public",
    "announces that a public certificate comes; agents then trust the system's authorities too",
  ).action((options: SiteOptions) =>
    withSite(sites, options, async ({ database: { db }, keys }) => {
      await onSite(db, "site.authority", { step: "public" }, () => announcePublic(db, keys));
      say("announced; when every agent has reported (agent list), set tls: in receiver.yaml and restart");
    }),
  );
  const receipts = program.command("receipts").description("the key that signs receipts");
  siteCommand(
    receipts,
    "rotate",
    "makes a new key; older ones stay published, so old receipts still verify",
  ).action((options: SiteOptions) =>
    withSite(sites, options, async ({ database: { db }, keys }) => {
      const { kid, signsFrom } = await onSite(db, "site.receipts", { step: "rotate" }, () =>
        rotateReceipts(db, keys),
      );
      result(kid);
      say(`published at once; it signs from ${new Date(signsFrom).toISOString()} on`);
    }),
  );
}
