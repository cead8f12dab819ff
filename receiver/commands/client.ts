/** `client`: the tenants whose files these are, and how much they may bring. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { list, say } from "@tributary/shared/terminal.ts";
import { formatBytes, parseSize } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import {
  addClient,
  resumeClient,
  setClientLimits,
  setClientQuotas,
  suspendClient,
} from "../administration/clients.ts";
import { type Offboarding, offboardClient, planOffboarding } from "../administration/offboard.ts";
import type { SiteOptions } from "../config.ts";
import { type ClientState, clientState, listClients } from "../ledger/clients.ts";
import { type Sites, siteCommand, using, withLedger } from "./command.ts";
import { type LimitOptions, limitWords, rateLimits, viewOfLimits, withRateLimits } from "./limit-options.ts";
import { onCommand } from "./who.ts";

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}

interface OffboardOptions extends SiteOptions {
  readonly yes?: boolean;
}

interface QuotaOptions extends SiteOptions {
  readonly stored?: string;
  readonly day?: string;
  readonly file?: string;
}

export function addClientCommands(program: Command, sites: Sites): void {
  const client = program.command("client").description("the tenants whose files these are");
  siteCommand(client, "add <name>", "adds a client").action((name: string, options: SiteOptions) =>
    using(sites.openLedger(options), async ({ database: { db } }) => {
      requireName(name);
      await addClient(onCommand(db), name);
      say(`client ${name} added; next: tributary-receiver agent invite --client ${name}`);
    }),
  );
  siteCommand(client, "list", "lists the clients and what they have used")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const states = await listClients(db);
        if (options.json) list(states.map(viewOf), true, []);
        else list(states.map(lineOf), false, ["name", "state", "stored", "today", "quota", "limits"]);
      }),
    );
  siteCommand(
    client,
    "suspend <name>",
    "takes nothing more from a client; its agents keep their queues",
  ).action((name: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await suspendClient(onCommand(db), name);
      say(`client ${name} is suspended; open uploads and streams end within 5 s`);
    }),
  );
  siteCommand(client, "resume <name>", "ends a suspension").action((name: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await resumeClient(onCommand(db), name);
      say(`client ${name} is no longer suspended`);
    }),
  );
  siteCommand(client, "offboard <name>", "shuts out all who act for a client; its files and history stay")
    .option("--yes", "do it; without, says what it would do")
    .action((name: string, options: OffboardOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const done = options.yes === true;
        const plan = done ? await offboardClient(onCommand(db), name) : await planOffboarding(db, name);
        for (const line of offboardingLines(name, plan, done)) say(line);
        if (!done) say(`nothing was done; to do it: tributary-receiver client offboard ${name} --yes`);
      }),
    );
  siteCommand(
    client,
    "quota <name>",
    "shows or sets how much a client may bring; `default` takes a bound back",
  )
    .option("--stored <size>", "bytes stored in all, such as 2TB")
    .option("--day <size>", "bytes brought on one UTC day")
    .option("--file <size>", "its largest file")
    .action((name: string, options: QuotaOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const quotas = {
          ...bound("stored", options.stored),
          ...bound("day", options.day),
          ...bound("file", options.file),
        };
        if (Object.keys(quotas).length > 0) await setClientQuotas(onCommand(db), name, quotas);
        const state = await clientState(db, name);
        if (state) list([{ name, quota: lineOf(state).quota }], false, ["name", "quota"]);
      }),
    );
  withRateLimits(
    siteCommand(
      client,
      "limit <name>",
      "shows or sets how often and how many at once a client may send; `default` takes a limit back",
    ),
  ).action((name: string, options: LimitOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await setClientLimits(onCommand(db), name, rateLimits(options));
      const state = await clientState(db, name);
      if (state) list([{ name, limits: lineOf(state).limits }], false, ["name", "limits"]);
    }),
  );
}

/** What leaving does, in numbers. */
function offboardingLines(name: string, plan: Offboarding, done: boolean): string[] {
  const { revoked, kept, keys, accounts, webhooks, invitations, people } = plan;
  const ended = [
    counted(revoked.length, "agent"),
    counted(keys, "API key"),
    counted(accounts, "SFTP account"),
    counted(webhooks, "webhook"),
    counted(invitations, "open invitation"),
    people === 0 ? undefined : people === 1 ? "1 person" : `${people} people`,
  ].filter((words) => words !== undefined);
  const waiting = revoked.reduce((sum, agent) => sum + agent.waiting, 0);
  return [
    done
      ? `client ${name} is offboarded; nothing is taken for it any more`
      : `offboarding the client ${name}:`,
    ended.length === 0 ? "nobody acts for it" : `${done ? "ended" : "ends"}: ${ended.join(", ")}`,
    ...kept.map(({ name: agent, id }) => `agent ${agent} (${id}) goes on for its other clients`),
    ...(waiting === 0
      ? []
      : [`${waiting} files waited on these agents when they last said so: they do not arrive`]),
    "its files and their history stay in the lake",
  ];
}

function counted(count: number, noun: string): string | undefined {
  return count === 0 ? undefined : `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function requireName(name: string): void {
  const checked = slug.safeParse(name);
  if (!checked.success)
    throw new ProblemError(
      "usage",
      `"${name}" is no client name; expected ${checked.error.issues[0]?.message}`,
    );
}

function bound(key: string, text: string | undefined): Record<string, number | null> {
  if (text === undefined) return {};
  if (text === "default") return { [key]: null };
  const size = parseSize(text);
  if (size === undefined)
    throw new ProblemError("usage", `--${key} "${text}": expected a size such as 20MB or 1GiB, or default`);
  return { [key]: size };
}

function viewOf(state: ClientState) {
  return {
    name: state.name,
    suspended: state.suspendedAt !== null,
    offboarded: state.offboardedAt !== null,
    createdAt: new Date(state.createdAt).toISOString(),
    suspendedAt: state.suspendedAt === null ? null : new Date(state.suspendedAt).toISOString(),
    storedBytes: state.storedBytes,
    dayBytes: state.dayBytes,
    quotas: state.quotas,
    limits: viewOfLimits(state.limits),
  };
}

function lineOf(state: ClientState) {
  const own = (["stored", "day", "file"] as const).flatMap((key) => {
    const value = state.quotas[key];
    return value === null ? [] : [`${key} ${formatBytes(value)}`];
  });
  return {
    name: state.name,
    state: state.offboardedAt !== null ? "offboarded" : state.suspendedAt === null ? "active" : "suspended",
    stored: formatBytes(state.storedBytes),
    today: formatBytes(state.dayBytes),
    quota: own.length === 0 ? "default" : own.join(", "),
    limits: limitWords(state.limits, "default"),
  };
}
