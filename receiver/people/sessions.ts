/** Who is logged in, from where, and how it is ended: in force with the next request at any receiver. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

export interface SessionView {
  readonly id: string;
  readonly person: string;
  readonly how: Tables["people_sessions"]["how"];
  readonly address: string | null;
  /** What the browser calls itself. */
  readonly device: string | null;
  /** ms since 1970; `usedAt` to the minute. */
  readonly createdAt: number;
  readonly usedAt: number;
  readonly expiresAt: number;
}

/** Those that are in force, the last used first. */
export async function listSessions(
  db: Database,
  person: string,
  now = Date.now(),
): Promise<readonly SessionView[]> {
  const rows = await db
    .selectFrom("people_sessions")
    .selectAll()
    .where("person", "=", person)
    .where("expires_at", ">", now)
    .orderBy("used_at", "desc")
    .execute();
  return rows.map(viewOf);
}

/** Ends one session of this person, and tells which. Throws `not-found`. */
export async function revokeSession(db: Database, person: string, id: string): Promise<SessionView> {
  const row = await writing(db, (trx) =>
    trx
      .deleteFrom("people_sessions")
      .where("id", "=", id)
      .where("person", "=", person)
      .returningAll()
      .executeTakeFirst(),
  );
  if (row) return viewOf(row);
  throw new ProblemError("not-found", `there is no session ${id} of this person; it may have ended`);
}

/** Ends all sessions of a person and logins that wait for a code, and tells which; `except` is the id of one that stays. */
export async function signOut(db: Database, person: string, except = ""): Promise<readonly SessionView[]> {
  return await writing(db, async (trx) => {
    await trx.deleteFrom("people_verifications").where("value", "=", person).execute();
    const rows = await trx
      .deleteFrom("people_sessions")
      .where("person", "=", person)
      .where("id", "<>", except)
      .returningAll()
      .execute();
    return rows.map(viewOf);
  });
}

/** Takes away what has ended: to be called now and then. */
export async function forgetEnded(db: Database, now = Date.now()): Promise<void> {
  await writing(db, async (trx) => {
    await trx.deleteFrom("people_sessions").where("expires_at", "<=", now).execute();
    await trx.deleteFrom("people_verifications").where("expires_at", "<=", now).execute();
    await trx.deleteFrom("people_codes_used").where("until", "<=", now).execute();
  });
}

function viewOf(row: Tables["people_sessions"]): SessionView {
  return {
    id: row.id,
    person: row.person,
    how: row.how,
    address: row.address,
    device: row.device,
    createdAt: row.created_at,
    usedAt: row.used_at,
    expiresAt: row.expires_at,
  };
}
