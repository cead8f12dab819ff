/** What follows from the entries: heads, usage, clients, trees, search, and what of quarantine has become an entry. */
import { sql } from "kysely";
import type { Writer } from "./database.ts";

/** Released after the backup that this ledger comes from: its entry came back, and it is no longer held. */
export async function endHeld(trx: Writer): Promise<void> {
  await sql`
    update quarantined set state = 'released',
      released_at = (select received_at from entries where version_id = quarantined.id),
      reason = 'its entry came back with a rebuild; who released it is not known'
    where state = 'held' and exists (select 1 from entries where version_id = quarantined.id)`.execute(trx);
}

/** By commit time first: an entry that had to be numbered anew does not become the newest of its path by that. */
export async function deriveHeads(trx: Writer): Promise<void> {
  await trx.deleteFrom("heads").execute();
  await sql`
    insert into heads (client, source, path_hash, seq, kind, version_id, size, sha256, bearer)
    select client, source, path_hash, seq, kind, version_id, size, sha256, bearer
    from (
      select e.*, row_number() over (
        partition by client, source, path_hash order by received_at desc, seq desc
      ) as place from entries e
    ) as ranked where place = 1`.execute(trx);
}

export async function deriveUsage(trx: Writer, today: string): Promise<void> {
  await trx.deleteFrom("usage").execute();
  const from = Date.parse(today);
  await sql`
    insert into usage (client, stored_bytes, day, day_bytes)
    select client, cast(sum(coalesce(size, 0)) as bigint), cast(${today} as text),
      cast(sum(case when received_at >= ${sql.lit(from)} then coalesce(size, 0) else 0 end) as bigint)
    from (
      select client, size, received_at from entries
      union all select client, size, arrived_at from quarantined where state = 'held'
    ) as came group by client`.execute(trx);
  await trx.updateTable("bearers").set({ day: today, day_bytes: 0 }).execute();
  await sql`
    insert into bearers (bearer, day, day_bytes)
    select bearer, cast(${today} as text), cast(sum(coalesce(size, 0)) as bigint)
    from (
      select bearer, size from entries where received_at >= ${sql.lit(from)}
      union all select bearer, size from quarantined where state = 'held' and arrived_at >= ${sql.lit(from)}
    ) as came where bearer <> '' group by bearer
    on conflict (bearer) do update set day = excluded.day, day_bytes = excluded.day_bytes`.execute(trx);
}

export async function deriveClients(trx: Writer): Promise<void> {
  await sql`
    insert into clients (name, created_at)
    select client, min(received_at) from entries
    where not exists (select 1 from clients where clients.name = entries.client) group by client`.execute(
    trx,
  );
}

/** Paths of which the newest at a time is not found by number: those with an entry that was numbered after a later one. */
export async function deriveReordered(trx: Writer): Promise<void> {
  await sql`delete from reordered`.execute(trx);
  await sql`
    insert into reordered
    select distinct client, source, path_hash from (
      select client, source, path_hash, received_at,
        max(received_at) over (order by seq rows between unbounded preceding and 1 preceding) as before
      from entries
    ) as e where received_at < before`.execute(trx);
}

/** Entries may have other numbers now: `receiver/tree` reads all of them anew when somebody looks. */
export async function forgetTrees(trx: Writer): Promise<void> {
  for (const table of ["tree_state", "tree_files", "tree_removed", "tree_folders"])
    await sql`delete from ${sql.table(table)}`.execute(trx);
}

/** As trees: `receiver/search` reads all entries anew. */
export async function forgetSearch(trx: Writer): Promise<void> {
  for (const table of ["search_blocks", "search_words"])
    await sql`delete from ${sql.table(table)}`.execute(trx);
  await sql`update search_state set seq = 0`.execute(trx);
}
