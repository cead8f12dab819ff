/**
 * Counts of several receivers on one PostgreSQL. The tables are not logged: nothing waits for a disk, and after a crash
 * of the server the counts begin anew. Time is the database's, so that receivers' clocks may differ.
 */
import { randomUUID } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import { type LedgerDatabase, writing } from "../ledger/database.ts";
import { type Counts, SLOTS_MS } from "./counts.ts";
import { takeOf } from "./takings.ts";

/** Any fixed number: takings of slots among the advisory locks of this database; the subject is the other half. */
const SLOTS_LOCK = 7_254_003;

/** `receiver`: this one among them. */
export function postgresCounts(
  { db, clock }: Pick<LedgerDatabase, "db" | "clock">,
  receiver: string = randomUUID(),
): Counts {
  /** What runs out later than any slot can was written before the clock was turned back: it may be a dead receiver's. */
  const stands = sql<boolean>`expires_at > ${clock} and expires_at <= ${clock} + ${sql.lit(SLOTS_MS)}`;
  const number = (value: number): RawBuilder<number> => sql`cast(${value} as bigint)`;
  return {
    async take(subject, frequency, wanted) {
      const { perMs } = frequency;
      return await writing(db, async (trx) => {
        // Locks the row until the end: receivers take one after the other.
        const { rows } = await sql<{ takings: string; at: number }>`
          insert into request_takings (subject, per_ms, takings) values (${subject}, ${number(perMs)}, '[]')
          on conflict (subject, per_ms) do update set takings = request_takings.takings
          returning takings, ${clock} as at`.execute(trx);
        const row = rows[0] as (typeof rows)[number];
        const { takings, taken } = takeOf(JSON.parse(row.takings), frequency, wanted, row.at);
        if (taken.granted > 0)
          await sql`
            update request_takings set takings = ${JSON.stringify(takings)}
            where subject = ${subject} and per_ms = ${number(perMs)}`.execute(trx);
        return taken;
      });
    },
    async hold(subject, wanted, most) {
      if (wanted === 0) {
        await sql`delete from upload_slots where subject = ${subject} and receiver = ${receiver}`.execute(db);
        return 0;
      }
      return await writing(db, async (trx) => {
        await sql`select pg_advisory_xact_lock(${SLOTS_LOCK}, hashtext(${subject}))`.execute(trx);
        // A statement of its own: it sees what the one before us under this lock has written.
        const { rows } = await sql<{ slots: number }>`
          with gone as (
            delete from upload_slots
            where subject = ${subject} and receiver <> ${receiver} and not (${stands})
          )
          insert into upload_slots (subject, receiver, slots, expires_at)
          select ${subject}, ${receiver}, greatest(0, least(${number(wanted)}, ${number(most)} - coalesce(sum(slots), 0)::bigint)),
            ${clock} + ${number(SLOTS_MS)}
          from upload_slots
          where subject = ${subject} and receiver <> ${receiver} and ${stands}
          on conflict (subject, receiver) do update set slots = excluded.slots, expires_at = excluded.expires_at
          returning slots`.execute(trx);
        return (rows[0] as (typeof rows)[number]).slots;
      });
    },
  };
}
