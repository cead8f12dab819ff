/** While somebody waits for what an agent says, it reports more often; the agent learns so with its next heartbeat. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

/** How often it reports then; and for how long, since somebody last looked. */
const ATTENDED_SECONDS = 3;
const ATTENDED_MS = 120_000;
/** Whoever looks again and again writes no more often than this. */
const RENEW_MS = 30_000;

/** Somebody looks at this agent: for the next two minutes it reports every few seconds. Throws `not-found`. */
export async function attendAgent(db: Database, id: string, now = Date.now()): Promise<void> {
  const before = await db
    .selectFrom("agents")
    .select("attended_until")
    .where("id", "=", id)
    .executeTakeFirst();
  if ((before?.attended_until ?? 0) - now > ATTENDED_MS - RENEW_MS) return;
  await writing(db, (trx) => attend(trx, id, now));
}

/** The same within a transaction, which has the agent's row for itself from here on. Throws `not-found`. */
export async function attend(trx: Writer, id: string, now: number): Promise<Tables["agents"]> {
  const agent = await trx
    .updateTable("agents")
    .set({ attended_until: now + ATTENDED_MS })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  if (agent === undefined)
    throw new ProblemError("not-found", `there is no agent ${id}; see: tributary-receiver agent list`);
  return agent;
}

/** Seconds until its next heartbeat. */
export function beatAfter(
  { attended_until }: Pick<Tables["agents"], "attended_until">,
  usual: number,
  now: number,
): number {
  return (attended_until ?? 0) > now ? Math.min(usual, ATTENDED_SECONDS) : usual;
}
