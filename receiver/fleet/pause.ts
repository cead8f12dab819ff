/** Pause is a wish that stands until it is taken back: told with every answer to a heartbeat, kept by the agent over its restarts. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type AgentPause, pauseOf } from "../identity/agents.ts";
import { writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { attend } from "./attention.ts";

/** Null: it is not wished to pause. */
export interface PauseChange {
  readonly before: AgentPause | null;
  readonly after: AgentPause | null;
}

/** Nothing leaves the agent from its next heartbeat on; it goes on capturing. One that is paused stays as it was. Throws `not-found`, `agent-revoked`. */
export async function pauseAgent(
  db: Database,
  id: string,
  by: string,
  now = Date.now(),
): Promise<PauseChange> {
  return await change(db, id, now, (before) => before ?? { since: new Date(now).toISOString(), by });
}

/** Throws `not-found`, `agent-revoked`. */
export async function resumeAgent(db: Database, id: string, now = Date.now()): Promise<PauseChange> {
  return await change(db, id, now, () => null);
}

async function change(
  db: Database,
  id: string,
  now: number,
  decide: (before: AgentPause | null) => AgentPause | null,
): Promise<PauseChange> {
  return await writing(db, async (trx) => {
    const agent = await attend(trx, id, now);
    if (agent.state === "revoked")
      throw new ProblemError("agent-revoked", `agent ${agent.name} (${id}) is revoked: nothing leaves it`);
    const before = pauseOf(agent);
    const after = decide(before);
    await trx
      .updateTable("agents")
      .set({ paused_at: after === null ? null : Date.parse(after.since), paused_by: after?.by ?? null })
      .where("id", "=", id)
      .execute();
    return { before, after };
  });
}
