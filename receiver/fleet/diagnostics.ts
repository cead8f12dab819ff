/** Diagnostics bundles: gzip'd JSON that an agent makes of itself when it is asked, without secrets and without content of files. Kept as they came. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { DIAGNOSTICS } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import type { Principal } from "../identity/principal.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

/** Of each agent. */
const MOST_KEPT = 3;

/** `createdAt` RFC 3339; `size` bytes as they came. */
export interface DiagnosticsView {
  readonly id: string;
  readonly agentId: string;
  readonly commandId: string;
  readonly createdAt: string;
  readonly size: number;
}

/** `body`: gzip'd JSON. */
export interface Diagnostics extends DiagnosticsView {
  readonly body: Buffer;
}

export type TakeDiagnostics = (
  principal: Principal,
  commandId: string,
  body: Buffer,
) => Promise<{ readonly id: string }>;

/** Keeps a bundle that was asked for. Throws `forbidden`, `not-found`, `request-invalid`. Sent again it replaces the one before. */
export function takeDiagnosticsOf(db: Database, now: () => number = Date.now): TakeDiagnostics {
  return async (principal, commandId, body) => {
    if (principal.kind !== "agent")
      throw new ProblemError("forbidden", "diagnostics come from agents; an API key has none");
    await unpackDiagnostics(body);
    return await writing(db, async (trx) => {
      await requireAsked(trx, principal.id, commandId);
      await trx.deleteFrom("agent_diagnostics").where("command_id", "=", commandId).execute();
      const id = uuidv7();
      await trx
        .insertInto("agent_diagnostics")
        .values({
          ...{ id, agent_id: principal.id, command_id: commandId, created_at: now() },
          ...{ size: body.length, body: body.toString("base64") },
        })
        .execute();
      await forgetOld(trx, principal.id);
      return { id };
    });
  };
}

/** Newest first. */
export async function listDiagnostics(db: Database, agentId: string): Promise<readonly DiagnosticsView[]> {
  const rows = await named(() =>
    db
      .selectFrom("agent_diagnostics")
      .select(["id", "agent_id", "command_id", "created_at", "size"])
      .where("agent_id", "=", agentId)
      .orderBy("id", "desc")
      .execute(),
  );
  return rows.map(viewOf);
}

/** Undefined when there is none, or newer ones took its place. */
export async function getDiagnostics(db: Database, id: string): Promise<Diagnostics | undefined> {
  const row = await named(() =>
    db.selectFrom("agent_diagnostics").selectAll().where("id", "=", id).executeTakeFirst(),
  );
  return row && { ...viewOf(row), body: Buffer.from(row.body, "base64") };
}

const unpack = promisify(gunzip);

/** The JSON text. Throws `request-invalid` for what is no gzip, or unpacks to more than a bundle may have. */
export async function unpackDiagnostics(body: Buffer): Promise<string> {
  try {
    return (await unpack(body, { maxOutputLength: DIAGNOSTICS.mostUnpacked })).toString("utf8");
  } catch (cause) {
    throw new ProblemError(
      "request-invalid",
      `this is no gzip of at most ${DIAGNOSTICS.mostUnpacked} bytes: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function requireAsked(trx: Writer, agentId: string, commandId: string): Promise<void> {
  const asked = await trx
    .selectFrom("agent_commands")
    .select("id")
    .where("id", "=", commandId)
    .where("agent_id", "=", agentId)
    .where("kind", "=", "diagnostics")
    .executeTakeFirst();
  if (asked === undefined)
    throw new ProblemError(
      "not-found",
      "this agent was not asked for diagnostics under this id; nothing is kept that nobody asked for",
    );
}

async function forgetOld(trx: Writer, agentId: string): Promise<void> {
  const old = await trx
    .selectFrom("agent_diagnostics")
    .select("id")
    .where("agent_id", "=", agentId)
    .orderBy("id", "desc")
    .execute();
  const over = old.slice(MOST_KEPT).map(({ id }) => id);
  if (over.length > 0) await trx.deleteFrom("agent_diagnostics").where("id", "in", over).execute();
}

function viewOf(row: Omit<Tables["agent_diagnostics"], "body">): DiagnosticsView {
  const { id, agent_id, command_id, created_at, size } = row;
  return {
    ...{ id, agentId: agent_id, commandId: command_id, size },
    createdAt: new Date(created_at).toISOString(),
  };
}
