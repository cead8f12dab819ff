/** What is done to agents, and to the codes with which hosts become agents. */
import type { Act, Subject } from "../audit/audit.ts";
import { audited, noted } from "../audit/audit.ts";
import { type Ask, askAgent as ask, type CommandView } from "../fleet/commands.ts";
import { type PauseChange, pauseAgent as pause, resumeAgent as resume } from "../fleet/pause.ts";
import { getAgent, revokeAgent as revoke } from "../identity/agents.ts";
import { cancelInvitation, type Invitation, invite } from "../identity/invitations.ts";
import type { Writer } from "../ledger/database.ts";
import { type BearerLimits, type Changes, setBearerLimits } from "../ledger/limits.ts";
import { type Administrator, change } from "./administrator.ts";

/** The code. `receiver`: what the agent is told of us. Throws `not-found`. */
export async function inviteAgent(
  { db, who }: Administrator,
  invitation: Invitation,
  receiver: { readonly url: string; readonly trust: string },
): Promise<{ readonly id: string; readonly code: string }> {
  return await audited(db, who, async (trx, record) => {
    const made = await invite(trx, invitation, receiver);
    const { name = null, replaces = null, expiresMs } = invitation;
    record({
      act: "agent.invite",
      subject: { kind: "invitation", id: made.id },
      client: invitation.clients[0],
      before: null,
      after: { clients: made.clients, name, replaces, good: `${expiresMs / 1000} s` },
    });
    return made;
  });
}

/** For good, until somebody invites with `replaces`. Throws `not-found`. */
export const revokeAgent = (by: Administrator, id: string): Promise<void> =>
  onAgent(by, "agent.revoke", id, (trx) => revoke(trx, id));

/** Undefined is left, null is taken back. Throws `not-found`. */
export const setAgentLimits = (by: Administrator, id: string, limits: Changes<BearerLimits>): Promise<void> =>
  onAgent(by, "agent.limit", id, (trx) => setBearerLimits(trx, "agent", id, limits));

/** Nothing leaves it from its next heartbeat on; it goes on capturing. Throws `not-found`, `agent-revoked`. */
export const pauseAgent = (by: Administrator, id: string): Promise<PauseChange> =>
  onAgent(by, "agent.pause", id, (trx) => pause(trx, id, by.who.name));

/** Throws `not-found`, `agent-revoked`. */
export const resumeAgent = (by: Administrator, id: string): Promise<PauseChange> =>
  onAgent(by, "agent.resume", id, (trx) => resume(trx, id));

/** Nothing is changed by it: what is recorded is what was asked. Throws `not-found`, `agent-revoked`, `request-invalid`. */
export async function askAgent({ db, who }: Administrator, asked: Omit<Ask, "by">): Promise<CommandView> {
  const { agentId, kind, source = null } = asked;
  return await audited(db, who, async (trx, record) => {
    const command = await ask(trx, { ...asked, by: who.name });
    const agent = await getAgent(trx, agentId);
    record({
      act: `agent.${kind}`,
      subject: { kind: "agent", id: agentId },
      client: agent?.clients[0],
      before: null,
      after: { command: command.id, source },
    });
    return command;
  });
}

/** Somebody took along what an agent collected. */
export async function noteBundle({ db, who }: Administrator, agentId: string, bundle: string): Promise<void> {
  const client = (await getAgent(db, agentId))?.clients[0];
  const subject = { kind: "agent", id: agentId };
  await noted(db, who, { act: "agent.bundle", subject, client, before: null, after: { bundle } });
}

/** Any other change of one agent, with what it was before and is after. */
async function onAgent<T>(
  by: Administrator,
  act: Act,
  id: string,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  const agent = await getAgent(by.db, id);
  const facts = (trx: Writer): Promise<Subject> => agentFacts(trx, id);
  return await change(by, { act, kind: "agent", id, client: agent?.clients[0], facts }, work);
}

async function agentFacts(trx: Writer, id: string): Promise<Subject> {
  const agent = await getAgent(trx, id);
  if (agent === undefined) return null;
  const { name, state, clients, host, limits, pause } = agent;
  return { name, state, clients, host, limits, pause };
}

/** Throws `not-found`. */
export async function takeBackInvitation({ db, who }: Administrator, id: string): Promise<void> {
  await audited(db, who, async (trx, record) => {
    const clients = await cancelInvitation(trx, id);
    const subject = { kind: "invitation", id };
    record({ act: "agent.uninvite", subject, client: clients[0], before: { clients }, after: null });
  });
}
