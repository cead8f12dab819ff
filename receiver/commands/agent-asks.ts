/** `agent scan`, `pause`, `resume` and `diagnostics`: what an agent is asked, and what becomes of it. */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeDurably } from "@tributary/shared/durable.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Progress, printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes, formatDuration } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { askAgent, pauseAgent, resumeAgent } from "../administration/agents.ts";
import type { SiteOptions } from "../config.ts";
import { type CommandView, getCommand } from "../fleet/commands.ts";
import { getDiagnostics, listDiagnostics, unpackDiagnostics } from "../fleet/diagnostics.ts";
import { type AgentView, getAgent } from "../identity/agents.ts";
import type { Database } from "../ledger/schema.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";
import { onCommand } from "./who.ts";

interface ScanOptions extends SiteOptions {
  readonly source?: string;
}

interface DiagnosticsOptions extends SiteOptions {
  readonly out?: string;
}

const PATIENCE_MS = 120_000;
const LOOK_MS = 300;

export function addAgentAsks(agent: Command, sites: Sites): void {
  siteCommand(
    agent,
    "scan <id>",
    "has an agent look through its sources now, and waits for what becomes of it",
  )
    .option("--source <source>", "only this one")
    .action((id: string, options: ScanOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { source } = options;
        const asked = await askAgent(onCommand(db), { agentId: id, kind: "scan", source });
        say((await ended(db, asked)).detail);
      }),
    );
  siteCommand(
    agent,
    "pause <id>",
    "keeps files from leaving an agent until it is resumed; it goes on capturing them",
  ).action((id: string, options: SiteOptions) =>
    withLedger(sites, options, async ({ database: { db } }) => {
      const { before, after } = await pauseAgent(onCommand(db), id);
      const since = `since ${after?.since} by ${printable(after?.by)}`;
      say(
        before === null
          ? `agent ${id} is to pause from its next heartbeat on${heardOf(await getAgent(db, id))}; take it back: tributary-receiver agent resume ${id}`
          : `agent ${id} is to pause already, ${since}`,
      );
      const why = unwilling(await getAgent(db, id));
      if (why !== undefined) say(why);
    }),
  );
  siteCommand(agent, "resume <id>", "lets files leave a paused agent again").action(
    (id: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { before } = await resumeAgent(onCommand(db), id);
        say(
          before === null
            ? `agent ${id} was not to pause`
            : `agent ${id} sends again from its next heartbeat on${heardOf(await getAgent(db, id))}`,
        );
      }),
  );
  siteCommand(
    agent,
    "diagnostics <id>",
    "has an agent tell how it is, without secrets and without content of files, as JSON",
  )
    .option("--out <file>", "into this file; default: to standard output")
    .action((id: string, options: DiagnosticsOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const asked = await askAgent(onCommand(db), { agentId: id, kind: "diagnostics" });
        await ended(db, asked);
        const text = await bundleOf(db, asked);
        if (options.out === undefined) return result(text);
        const file = resolve(options.out);
        writeDurably(file, `${text}\n`);
        say(`${file}: ${formatBytes(Buffer.byteLength(text))}`);
      }),
    );
}

async function bundleOf(db: Database, { id, agentId }: CommandView): Promise<string> {
  const view = (await listDiagnostics(db, agentId)).find(({ commandId }) => commandId === id);
  const bundle = view && (await getDiagnostics(db, view.id));
  if (bundle === undefined)
    throw new ProblemError(
      "not-found",
      `agent ${agentId} says that it sent them, and they are not there; ask again`,
    );
  return await unpackDiagnostics(bundle.body);
}

/** What became of it. Throws what the agent says of why it was not done, and what to do where it says nothing. */
async function ended(db: Database, asked: CommandView): Promise<{ readonly detail: string }> {
  const progress = new Progress();
  const from = performance.now();
  for (let now = asked; ; ) {
    if (now.outcome?.ok === true) return now.outcome;
    const agent = await getAgent(db, asked.agentId);
    const name = printable(agent?.name);
    if (now.outcome !== null)
      throw new ProblemError("request-invalid", `agent ${name} did not do it: ${now.outcome.detail}`);
    if (performance.now() - from > PATIENCE_MS) throw silent(name, agent, now);
    progress.show(() =>
      now.sentAt === null
        ? `waiting for the next heartbeat of agent ${name}${heardOf(agent)}`
        : `agent ${name} has it, and has not told what became of it yet`,
    );
    await sleep(LOOK_MS);
    now = (await getCommand(db, asked.id)) ?? now;
  }
}

function silent(name: string, agent: AgentView | undefined, { sentAt }: CommandView): ProblemError {
  const lasting = `within ${formatDuration(PATIENCE_MS)}`;
  return new ProblemError(
    "not-found",
    sentAt === null
      ? `agent ${name} was not heard ${lasting}${heardOf(agent)}; see on its host: tributary-agent status, tributary-agent doctor. It stays asked for 24 h`
      : `agent ${name} has it, and did not tell ${lasting} what became of it; it stays asked for 24 h: run this again to go on waiting`,
  );
}

/** Why a wish to pause will not be followed; undefined: nothing is known against it. */
function unwilling(agent: AgentView | undefined): string | undefined {
  const status = agent?.status;
  if (status === null || status === undefined) return undefined;
  if (status.denies?.includes("pause"))
    return "its host does not allow it (allow.pause in agent.yaml): it goes on sending";
  if (status.knows === undefined || !status.knows.includes("pause"))
    return `version ${status.version} of the agent does not know it: it goes on sending until a newer one is on its host`;
  return undefined;
}

function heardOf(agent: AgentView | undefined): string {
  if (agent?.lastSeenAt === null || agent === undefined) return " (it was never heard)";
  return ` (last heard ${formatDuration(Math.max(0, Date.now() - Date.parse(agent.lastSeenAt)))} ago)`;
}
