/** Agents, and the codes with which hosts become agents. */
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  askAgent,
  inviteAgent,
  noteBundle,
  pauseAgent,
  resumeAgent,
  revokeAgent,
  setAgentLimits,
  takeBackInvitation,
} from "../../administration/agents.ts";
import { attendAgent } from "../../fleet/attention.ts";
import { listCommands } from "../../fleet/commands.ts";
import { getDiagnostics, listDiagnostics } from "../../fleet/diagnostics.ts";
import { getAgent } from "../../identity/agents.ts";
import { listInvitations } from "../../identity/invitations.ts";
import { invitationLine, type Pointing } from "../../install/invitation-line.ts";
import type { MadeInvitation } from "../answers.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage } from "./parts.ts";

type AgentHandlers = Pick<Handlers, Extract<keyof Handlers, `agents.${string}` | `invitations.${string}`>>;

const SYSTEMS = ["linux", "windows"] as const;
/** Codes that ended longer ago are history. */
const SHOWN_MS = 7 * 86_400_000;

export function agentHandlers(parts: HandlerParts): AgentHandlers {
  const { db } = parts.database;
  return {
    "agents.list": async ({ client }) => {
      const agents = await parts.fleet.agents();
      return {
        items: client === undefined ? agents : agents.filter((agent) => agent.clients.includes(client)),
      };
    },
    "agents.get": async ({ id }) => {
      const agent = await getAgent(db, id);
      if (agent === undefined) throw new ProblemError("not-found", `there is no agent ${id}`);
      // Whoever looks at one agent wants to see it as it is, not as it was half a minute ago.
      if (agent.state === "active") await attendAgent(db, id);
      return { ...agent, diagnostics: await listDiagnostics(db, id) };
    },
    "agents.commands": async ({ id }) => ({ items: await listCommands(db, id) }),
    "agents.scan": ({ id, source }, asked) =>
      askAgent(onPage(parts, asked), { agentId: id, kind: "scan", source }),
    "agents.pause": async ({ id }, asked) => {
      await pauseAgent(onPage(parts, asked), id);
      parts.fleet.forget();
      return {};
    },
    "agents.resume": async ({ id }, asked) => {
      await resumeAgent(onPage(parts, asked), id);
      parts.fleet.forget();
      return {};
    },
    "agents.diagnose": ({ id }, asked) =>
      askAgent(onPage(parts, asked), { agentId: id, kind: "diagnostics" }),
    "agents.bundle": async ({ id }, asked) => {
      const found = await getDiagnostics(db, id);
      if (found === undefined)
        throw new ProblemError("not-found", "this bundle is gone: of each agent the newest three are kept");
      await noteBundle(onPage(parts, asked), found.agentId, id);
      const name = `agent-${found.agentId}-${found.createdAt.replaceAll(/[-:]|\.\d+/g, "")}.json.gz`;
      return new Response(new Uint8Array(found.body), {
        headers: {
          "content-type": "application/gzip",
          "content-disposition": `attachment; filename="${name}"`,
          "cache-control": "private, no-store",
        },
      });
    },
    "agents.revoke": async ({ id }, asked) => {
      await revokeAgent(onPage(parts, asked), id);
      parts.fleet.forget();
      return {};
    },
    "agents.bound": async ({ id, ...limits }, asked) => {
      await setAgentLimits(onPage(parts, asked), id, limits);
      return {};
    },
    "invitations.list": async ({ client }) => ({
      items: await listInvitations(db, { client, since: Date.now() - SHOWN_MS }),
    }),
    "invitations.add": async ({ client, name, hours, replaces }, asked) => {
      const expiresMs = hours * 3_600_000;
      const receiver = { url: parts.site.receiverUrl, trust: parts.codeTrust() };
      const invitation = { clients: [client], name, expiresMs, replaces };
      const { id, code } = await inviteAgent(onPage(parts, asked), invitation, receiver);
      const pointing = { url: receiver.url, pinned: receiver.trust !== "system", code };
      const expiresAt = new Date(Date.now() + expiresMs).toISOString();
      return { id, code, expiresAt, lines: await linesOf(parts, pointing) };
    },
    "invitations.cancel": async ({ id }, asked) => {
      await takeBackInvitation(onPage(parts, asked), id);
      return {};
    },
  };
}

/** Where there is no package for a system, the code alone still enrols. */
async function linesOf(parts: HandlerParts, pointing: Pointing): Promise<MadeInvitation["lines"]> {
  const made = await Promise.all(
    SYSTEMS.map(async (system) => {
      try {
        const line = (await invitationLine(parts.install, system)).of(pointing);
        return [system, { line }] as const;
      } catch (error) {
        if (!(error instanceof ProblemError) || error.code !== "not-found") throw error;
        return [system, { missing: error.message }] as const;
      }
    }),
  );
  return Object.fromEntries(made) as MadeInvitation["lines"];
}
