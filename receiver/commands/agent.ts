/** `agent`: who may push files, from which host. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { list, result, say } from "@tributary/shared/terminal.ts";
import { formatDuration, parseDuration } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { inviteAgent, revokeAgent, setAgentLimits } from "../administration/agents.ts";
import { addressOf, type SiteOptions } from "../config.ts";
import { type AgentView, listAgents } from "../identity/agents.ts";
import { openInstall } from "../install/install.ts";
import { invitationLine } from "../install/invitation-line.ts";
import type { OpenSite } from "../site.ts";
import { addAgentAsks } from "./agent-asks.ts";
import { type Sites, siteCommand, withLedger, withSite } from "./command.ts";
import {
  type BearerLimitOptions,
  bearerLimits,
  showBearerLimits,
  viewOfLimits,
  withBearerLimits,
} from "./limit-options.ts";
import { onCommand } from "./who.ts";

interface InviteOptions extends SiteOptions {
  readonly client?: string;
  readonly name?: string;
  readonly expires: string;
  readonly replaces?: string;
  readonly install?: string;
}

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}

export function addAgentCommands(program: Command, sites: Sites): void {
  const agent = program.command("agent").description("the agents that push files");
  siteCommand(agent, "invite", "prints a code, good once, with which a host becomes an agent")
    .option("--client <name,…>", "for which clients it acts")
    .option("--name <name>", "what the agent is called here; default: its host's name")
    .option("--expires <time>", "how long the code is good", "24h")
    .option("--replaces <id>", "this agent moves to a new host, or gets a new key; it keeps its clients")
    .option("--install <system>", "prints the line that installs and enrols, for linux or windows")
    .action((options: InviteOptions) =>
      withSite(sites, options, async ({ database: { db }, siteKeys, settings, install }) => {
        const expiresMs = parseDuration(options.expires);
        if (!expiresMs)
          throw new ProblemError(
            "usage",
            `--expires "${options.expires}": expected a duration such as 24h or 7d`,
          );
        const clients = (options.client ?? "").split(",").filter((name) => name !== "");
        if (clients.length === 0 && options.replaces === undefined)
          throw new ProblemError("usage", "say for which client the agent acts: --client NAME");
        const url = addressOf(settings);
        // Before the code is made: one that cannot be used is of no use to anybody.
        const line = options.install === undefined ? undefined : await installing(options.install, install);
        const trust = siteKeys.codeTrust();
        const { code } = await inviteAgent(
          onCommand(db),
          { clients, name: options.name, expiresMs, replaces: options.replaces },
          { url, trust },
        );
        result(line === undefined ? code : line.of({ url, pinned: trust !== "system", code }));
        say(
          `good once, for ${formatDuration(expiresMs)}, for agents that reach ${url}; on the agent's host:`,
        );
        for (const hint of line?.hints ?? ["tributary-agent enroll CODE"]) say(hint);
      }),
    );
  siteCommand(agent, "list", "lists the agents and how they are")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const agents = await listAgents(db);
        if (options.json) list(agents.map(viewOf), true, []);
        else
          list(agents.map(lineOf), false, [
            "id",
            "name",
            "clients",
            "state",
            "host",
            "seen",
            "waiting",
            "problems",
            "leases",
          ]);
      }),
    );
  withBearerLimits(
    siteCommand(
      agent,
      "limit <id>",
      "shows or sets limits of one agent, narrower than its clients'; `default` takes one back",
    ),
  ).action((id: string, options: BearerLimitOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await setAgentLimits(onCommand(db), id, bearerLimits(options));
      await showBearerLimits(db, id);
    }),
  );
  siteCommand(agent, "revoke <id>", "shuts an agent out, for good").action(
    (id: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        await revokeAgent(onCommand(db), id);
        say(`agent ${id} is revoked; what it has open ends within 5 s`);
      }),
  );
  addAgentAsks(agent, sites);
}

/** The line of `--install` before there is a code, and what people are told of it. */
async function installing(system: string, places: OpenSite["install"]) {
  if (system !== "linux" && system !== "windows")
    throw new ProblemError("usage", `--install "${system}": expected linux or windows`);
  const { missing, of } = await invitationLine(openInstall(places), system);
  return {
    hints: [...HINTS[system], ...missing.map((name) => `not for hosts that need ${name}: it is not there`)],
    of,
  };
}

const HINTS = {
  linux: [
    "paste the line into a shell, as root or as somebody who may use sudo; a folder may be added at its end:",
    "--folder /srv/exports --name exports",
  ],
  windows: [
    "paste the line into Windows PowerShell, opened as an administrator; a folder may be added at its end:",
    '-Folder "D:\\exports" -Name exports',
  ],
} as const;

function viewOf({ limits, ...agent }: AgentView) {
  return { ...agent, limits: viewOfLimits(limits) };
}

function lineOf({ id, name, clients, state, host, lastSeenAt, status, leases, pause }: AgentView) {
  return {
    ...{ id, name, clients, host, state: pause === null ? state : `${state}, paused` },
    seen: lastSeenAt,
    waiting: status === null ? null : status.queue.depth,
    problems: status === null ? null : status.problems.length,
    leases: leases.length,
  };
}
