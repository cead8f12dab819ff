/**
 * What the centre asks of an agent: kept until the agent told what became of it, and given to it with each answer to a
 * heartbeat until then. So an agent may be asked twice, and never not at all; after a day nobody waits any more.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Command, type CommandKind, commandOutcome, slug } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { attend } from "./attention.ts";

const DAY_MS = 86_400_000;
const MOST_OPEN = 20;
/** Those that are done and listed still. */
const MOST_KEPT = 100;

/** A command as people see it. Times RFC 3339. */
export interface CommandView {
  readonly id: string;
  readonly agentId: string;
  readonly kind: CommandKind;
  /** Of a scan: null is all sources. */
  readonly source: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
  /** When it was first given to the agent. */
  readonly sentAt: string | null;
  readonly doneAt: string | null;
  /** Null: the agent has not told yet. */
  readonly outcome: { readonly ok: boolean; readonly detail: string } | null;
}

export interface Ask {
  readonly agentId: string;
  readonly kind: CommandKind;
  /** Of a scan; all sources without it. */
  readonly source?: string | undefined;
  /** Who asks. */
  readonly by: string;
}

/**
 * Asks, or gives back the equal command that still waits. From here on the agent reports more often. Throws `not-found`,
 * `agent-revoked`, `request-invalid`.
 */
export async function askAgent(db: Database, ask: Ask, now = Date.now()): Promise<CommandView> {
  const { agentId, kind, by } = ask;
  const source = ask.source ?? null;
  if (source !== null && (kind !== "scan" || !slug.safeParse(source).success))
    throw new ProblemError("request-invalid", `"${source}" is not a source that can be looked through`);
  return await writing(db, async (trx) => {
    const agent = await attend(trx, agentId, now);
    if (agent.state === "revoked")
      throw new ProblemError(
        "agent-revoked",
        `agent ${agent.name} (${agentId}) is revoked, and asks for nothing any more`,
      );
    const open = await expire(trx, await openOf(trx, agentId), now);
    const same = open.find((one) => one.kind === kind && one.source === source);
    if (same !== undefined) return viewOf(same, now);
    if (open.length >= MOST_OPEN)
      throw new ProblemError(
        "request-invalid",
        `${open.length} commands wait for agent ${agent.name} already; it was last heard ${agent.last_seen_at === null ? "never" : new Date(agent.last_seen_at).toISOString()}`,
      );
    const row = await trx
      .insertInto("agent_commands")
      .values({
        ...{ id: uuidv7(), agent_id: agentId, kind, source, created_at: now, created_by: by.slice(0, 200) },
        ...{ sent_at: null, done_at: null, outcome: null },
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await forgetOld(trx, agentId);
    return viewOf(row, now);
  });
}

/** Of one agent, newest first: those that wait, and the last that are done. */
export async function listCommands(
  db: Database,
  agentId: string,
  now = Date.now(),
): Promise<readonly CommandView[]> {
  const rows = await named(() =>
    db
      .selectFrom("agent_commands")
      .selectAll()
      .where("agent_id", "=", agentId)
      .orderBy("id", "desc")
      .limit(MOST_OPEN + MOST_KEPT)
      .execute(),
  );
  return rows.map((row) => viewOf(row, now));
}

/** Undefined when there is none. */
export async function getCommand(
  db: Database,
  id: string,
  now = Date.now(),
): Promise<CommandView | undefined> {
  const row = await named(() =>
    db.selectFrom("agent_commands").selectAll().where("id", "=", id).executeTakeFirst(),
  );
  return row && viewOf(row, now);
}

/** What an agent says of commands with a heartbeat. */
export interface Said {
  readonly version: string;
  /** Undefined: an agent of before, which obeys `scan` alone and tells nothing of it. */
  readonly knows?: readonly string[] | undefined;
  readonly done?:
    | readonly { readonly id: string; readonly ok: boolean; readonly detail: string }[]
    | undefined;
}

/** Takes down what is done, and gives what the agent is to do. Part of the heartbeat's transaction. */
export async function commandsFor(trx: Writer, agentId: string, said: Said, now: number): Promise<Command[]> {
  const open = await openOf(trx, agentId);
  if (open.length === 0) return [];
  const done = new Map(said.done?.map((one) => [one.id, one]));
  const told: Command[] = [];
  const reported = open.filter(({ id }) => done.has(id));
  for (const { id } of reported) {
    const { ok, detail } = done.get(id) as { ok: boolean; detail: string };
    await finish(trx, id, { ok, detail }, now);
  }
  const waiting = open.filter(({ id }) => !done.has(id));
  for (const { id, kind, source, sent_at, created_by } of await expire(trx, waiting, now)) {
    const named = source === null ? {} : { source };
    if (said.knows === undefined) {
      const scan = kind === "scan";
      await finish(trx, id, { ok: scan, detail: scan ? blind(said.version) : unknown(said.version) }, now);
      if (!scan) continue;
      told.push({ kind, ...named });
    } else if (!said.knows.includes(kind)) {
      await finish(trx, id, { ok: false, detail: unknown(said.version) }, now);
      continue;
    } else told.push({ id, kind, ...named, by: created_by });
    if (sent_at === null)
      await trx.updateTable("agent_commands").set({ sent_at: now }).where("id", "=", id).execute();
  }
  return told;
}

const blind = (version: string): string =>
  `given to it; version ${version} of the agent does not tell what became of it`;
const unknown = (version: string): string =>
  `version ${version} of the agent does not know this command; bring a newer one to its host`;
const EXPIRED = { ok: false, detail: "not asked for by the agent within 24 h; ask again when it is there" };

async function openOf(trx: Writer, agentId: string): Promise<Tables["agent_commands"][]> {
  return await trx
    .selectFrom("agent_commands")
    .selectAll()
    .where("agent_id", "=", agentId)
    .where("done_at", "is", null)
    .orderBy("id")
    .execute();
}

/** Those that are not too old. */
async function expire(
  trx: Writer,
  open: readonly Tables["agent_commands"][],
  now: number,
): Promise<Tables["agent_commands"][]> {
  for (const one of open) if (isOver(one, now)) await finish(trx, one.id, EXPIRED, one.created_at + DAY_MS);
  return open.filter((one) => !isOver(one, now));
}

const isOver = ({ created_at }: Tables["agent_commands"], now: number): boolean => now - created_at >= DAY_MS;

async function finish(
  trx: Writer,
  id: string,
  outcome: { readonly ok: boolean; readonly detail: string },
  at: number,
): Promise<void> {
  await trx
    .updateTable("agent_commands")
    .set({ done_at: at, outcome: JSON.stringify(outcome) })
    .where("id", "=", id)
    .execute();
}

async function forgetOld(trx: Writer, agentId: string): Promise<void> {
  const kept = await trx
    .selectFrom("agent_commands")
    .select("id")
    .where("agent_id", "=", agentId)
    .orderBy("id", "desc")
    .limit(MOST_KEPT)
    .execute();
  const oldest = kept.at(-1)?.id;
  if (oldest === undefined || kept.length < MOST_KEPT) return;
  await trx
    .deleteFrom("agent_commands")
    .where("agent_id", "=", agentId)
    .where("id", "<", oldest)
    .where("done_at", "is not", null)
    .execute();
}

const outcomeOnly = commandOutcome.omit({ id: true });

function viewOf(row: Tables["agent_commands"], now: number): CommandView {
  const over = row.done_at === null && isOver(row, now);
  const doneAt = over ? row.created_at + DAY_MS : row.done_at;
  const at = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: row.id,
    agentId: row.agent_id,
    kind: row.kind,
    source: row.source,
    createdAt: new Date(row.created_at).toISOString(),
    createdBy: row.created_by,
    sentAt: at(row.sent_at),
    doneAt: at(doneAt),
    outcome: over ? EXPIRED : row.outcome === null ? null : outcomeOnly.parse(JSON.parse(row.outcome)),
  };
}
