/**
 * Counts of several receivers on one PostgreSQL. The tables are not logged: nothing waits for a disk, and after a crash
 * of the server the counts begin anew. Time is the database's, so that receivers' clocks may differ.
 */
import { randomUUID } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import { type LedgerDatabase, writing } from "../ledger/database.ts";
import { type Counts, SLOTS_MS } from "./counts.ts";

/** Any fixed number: takings of slots among the advisory locks of this database; the subject is the other half. */
const SLOTS_LOCK = 7_254_003;

/** `receiver`: this one among them. */
export function postgresCounts(
  { db, clock }: Pick<LedgerDatabase, "db" | "clock">,
  receiver: string = randomUUID(),
): Counts {
  const number = (value: number): RawBuilder<number> => sql`cast(${value} as bigint)`;
  return {
    async take(subject, { count, perMs }, wanted) {
      const most = number(count);
      const asked = sql<number>`least(${number(wanted)}, ${most})`;
      const now = sql<number>`(select at from now)`;
      const over = sql<boolean>`request_windows.ends_at <= ${now}`;
      // A limit that was made smaller since leaves more taken than there is.
      const more = sql<number>`greatest(0, least(${asked}, ${most} - request_windows.taken))`;
      const { rows } = await sql<{ granted: number; taken: number; ends_at: number; at: number }>`
        with now as materialized (select ${clock} as at)
        insert into request_windows (subject, per_ms, ends_at, taken, granted)
        values (${subject}, ${number(perMs)}, ${now} + ${number(perMs)}, ${asked}, ${asked})
        on conflict (subject, per_ms) do update set
          ends_at = case when ${over} then excluded.ends_at else request_windows.ends_at end,
          taken = case when ${over} then excluded.taken else request_windows.taken + ${more} end,
          granted = case when ${over} then excluded.granted else ${more} end
        returning granted, taken, ends_at, ${now} as at`.execute(db);
      const { granted, taken, ends_at, at } = rows[0] as (typeof rows)[number];
      return { granted, left: Math.max(0, count - taken), window: ends_at, endsInMs: ends_at - at };
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
            where subject = ${subject} and receiver <> ${receiver} and expires_at <= ${clock}
          )
          insert into upload_slots (subject, receiver, slots, expires_at)
          select ${subject}, ${receiver}, greatest(0, least(${number(wanted)}, ${number(most)} - coalesce(sum(slots), 0)::bigint)),
            ${clock} + ${number(SLOTS_MS)}
          from upload_slots
          where subject = ${subject} and receiver <> ${receiver} and expires_at > ${clock}
          on conflict (subject, receiver) do update set slots = excluded.slots, expires_at = excluded.expires_at
          returning slots`.execute(trx);
        return (rows[0] as (typeof rows)[number]).slots;
      });
    },
  };
}
