/** `client`: the tenants whose files these are, and how much they may bring. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { list, say } from "@tributary/shared/terminal.ts";
import { formatBytes, parseSize } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import {
  addClient,
  type ClientState,
  clientState,
  listClients,
  resumeClient,
  setLimits,
  setQuotas,
  suspendClient,
} from "../ledger/clients.ts";
import { type Sites, siteCommand, using, withLedger } from "./command.ts";
import { type LimitOptions, limitWords, rateLimits, viewOfLimits, withRateLimits } from "./limit-options.ts";

interface ListOptions extends SiteOptions {
  readonly json?: boolean;
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
      await addClient(db, name);
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
      await suspendClient(db, name);
      say(`client ${name} is suspended; open uploads and streams end within 5 s`);
    }),
  );
  siteCommand(client, "resume <name>", "ends a suspension").action((name: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      await resumeClient(db, name);
      say(`client ${name} is no longer suspended`);
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
        await setQuotas(db, name, quotas);
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
      await setLimits(db, name, rateLimits(options));
      const state = await clientState(db, name);
      if (state) list([{ name, limits: lineOf(state).limits }], false, ["name", "limits"]);
    }),
  );
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
    state: state.suspendedAt === null ? "active" : "suspended",
    stored: formatBytes(state.storedBytes),
    today: formatBytes(state.dayBytes),
    quota: own.length === 0 ? "default" : own.join(", "),
    limits: limitWords(state.limits, "default"),
  };
}
