/**
 * The leases of agents that share the work, kept in the ledger's database. They change hands under the lock that commits
 * take: who gets one sees everything that was committed under the term before, and nothing more is.
 * A term is never below the time at which it began, so that it grows also across a ledger that was restored or rebuilt.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { LEASE, type LeaseAnswer, type LeaseRequest, type LeaseState } from "@tributary/shared/protocol.ts";
import { sql } from "kysely";
import type { Principal } from "../identity/principal.ts";
import { chunks, rows } from "../ledger/chunks.ts";
import { betweenCommits, type LedgerDatabase, type Writer } from "../ledger/database.ts";
import { type LeaseRow, leaseRef } from "../ledger/leases.ts";
import { type Asker, isLiving, runs, share } from "./sharing.ts";

/** A holder that is silent for less may still bring what is on its way. */
const FORGOTTEN_MS = 86_400_000;

type Place = LeaseRequest["wants"][number];

export type TakeLeases = (principal: Principal, request: LeaseRequest) => Promise<LeaseAnswer>;

/** Takes one call of one agent in one transaction. Throws `forbidden`, `ledger-unavailable`. */
export function takeLeasesOf(database: Pick<LedgerDatabase, "db" | "clock">): TakeLeases {
  return async (principal, { wants, releases }) => {
    if (principal.kind !== "agent")
      throw new ProblemError("forbidden", "leases are for agents; an API key has none");
    // One client that is suspended, or was taken from it, must not cost the agent its other sources.
    const allowed = new Map(
      wants
        .filter(({ client }) => principal.clients.includes(client))
        .map((place) => [leaseRef(place), place]),
    );
    const { held, holders, names } = await betweenCommits(database, async (trx, now) => {
      const table = await open(trx, principal.id, now);
      await table.release(releases);
      return await table.take(allowed);
    });
    const stateOf = ({ client, source }: Place): LeaseState => {
      const ref = leaseRef({ client, source });
      const mine = held.get(ref);
      if (mine !== undefined) return { client, source, held: true, ...mine };
      const refused = refusalOf(principal, client);
      if (refused !== undefined) return { client, source, held: false, holder: null, refused };
      return { client, source, held: false, holder: names.get(holders.get(ref) ?? "") ?? null };
    };
    return { ttlSeconds: LEASE.ttlSeconds, renewSeconds: LEASE.renewSeconds, leases: wants.map(stateOf) };
  };
}

function refusalOf({ clients, suspended }: Principal, client: string) {
  if (clients.includes(client)) return undefined;
  return suspended?.includes(client) === true ? "client-suspended" : "client-not-allowed";
}

interface Taken {
  readonly held: ReadonlyMap<string, { readonly term: number; readonly handOver: boolean }>;
  /** Who has what others have, by the place. */
  readonly holders: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
}

/** All leases as they are, for one call of `me`. */
async function open(trx: Writer, me: string, now: number) {
  const leases = new Map<string, LeaseRow>();
  for (const row of await trx.selectFrom("leases").selectAll().execute()) leases.set(leaseRef(row), row);

  return {
    /** What is no longer its own stays as it is. */
    async release(releases: LeaseRequest["releases"]): Promise<void> {
      const freed = releases.flatMap((place) => {
        const lease = leases.get(leaseRef(place));
        return lease?.agent_id === me && lease.term === place.term
          ? [{ ...lease, agent_id: null, until: now }]
          : [];
      });
      await put(trx, leases, freed);
    },

    async take(wants: ReadonlyMap<string, Place>): Promise<Taken> {
      const others = await askersBut(trx, me, now);
      await remember(trx, me, wants, now);
      const askers = [...others, { agentId: me, heardAt: now, wants: new Set(wants.keys()) }];
      await forgetUnwanted(trx, leases, askers, me, now);
      const kept = new Map([...leases].map(([ref, row]) => [ref, leaseOf(ref, row)]));
      const { held, handOver } = share(me, kept, askers, now);
      const until = now + LEASE.ttlSeconds * 1000;
      const changed = [...wants].flatMap(([ref, { client, source }]) => {
        const row = leases.get(ref) ?? { client, source, agent_id: null, term: 0, until: now };
        if (held.has(ref) && row.agent_id === me) return [{ ...row, until }];
        if (held.has(ref)) return [{ ...row, agent_id: me, term: Math.max(row.term + 1, now), until }];
        return leases.has(ref) ? [] : [row];
      });
      await put(trx, leases, changed);
      const holders = new Map(
        [...leases].flatMap(([ref, row]) =>
          runs(leaseOf(ref, row), now) ? [[ref, row.agent_id ?? ""]] : [],
        ),
      );
      return {
        held: new Map(
          [...held].map((ref) => [ref, { term: leases.get(ref)?.term ?? 0, handOver: handOver.has(ref) }]),
        ),
        holders,
        names: await namesOf(trx, new Set(holders.values())),
      };
    },
  };
}

function leaseOf(place: string, row: LeaseRow) {
  return { place, agentId: row.agent_id, until: row.until };
}

/** What was held once, or made up, would be read at every call for ever. A term is a time, so what is wanted again begins above what was. */
async function forgetUnwanted(
  trx: Writer,
  leases: Map<string, LeaseRow>,
  askers: readonly Asker[],
  me: string,
  now: number,
): Promise<void> {
  const wanted = new Set(askers.flatMap(({ wants }) => [...wants]));
  const over = [...leases].filter(
    ([ref, { agent_id, until }]) =>
      !wanted.has(ref) && (agent_id === null || agent_id === me || Math.abs(now - until) > FORGOTTEN_MS),
  );
  for (const [ref] of over) leases.delete(ref);
  for (const some of chunks(over.map(([, { client, source }]) => [client, source])))
    await trx
      .deleteFrom("leases")
      .where(sql<boolean>`(client, source) in (${rows(some)})`)
      .execute();
}

async function put(trx: Writer, leases: Map<string, LeaseRow>, changed: readonly LeaseRow[]): Promise<void> {
  for (const some of chunks(changed))
    await trx
      .insertInto("leases")
      .values(some)
      .onConflict((oc) =>
        oc.columns(["client", "source"]).doUpdateSet((eb) => ({
          agent_id: eb.ref("excluded.agent_id"),
          term: eb.ref("excluded.term"),
          until: eb.ref("excluded.until"),
        })),
      )
      .execute();
  for (const row of changed) leases.set(leaseRef(row), row);
}

async function askersBut(trx: Writer, me: string, now: number): Promise<readonly Asker[]> {
  const found = await trx
    .selectFrom("lease_wants as w")
    .innerJoin("agents as a", "a.id", "w.agent_id")
    .select(["w.agent_id", "w.heard_at", "w.wants"])
    .where("w.agent_id", "<>", me)
    // Who was shut out does not come for what is kept for it.
    .where("a.state", "=", "active")
    .execute();
  return found
    .map((row) => ({ agentId: row.agent_id, heardAt: row.heard_at, text: row.wants }))
    .filter((asker) => isLiving(asker, now))
    .map(({ text, ...asker }) => ({
      ...asker,
      wants: new Set(
        (JSON.parse(text) as [string, string][]).map(([client, source]) => leaseRef({ client, source })),
      ),
    }));
}

async function remember(
  trx: Writer,
  me: string,
  wants: ReadonlyMap<string, Place>,
  now: number,
): Promise<void> {
  const text = JSON.stringify([...wants.values()].map(({ client, source }) => [client, source]));
  await trx
    .insertInto("lease_wants")
    .values({ agent_id: me, heard_at: now, wants: text })
    .onConflict((oc) =>
      oc.column("agent_id").doUpdateSet((eb) => ({
        heard_at: eb.ref("excluded.heard_at"),
        wants: eb.ref("excluded.wants"),
      })),
    )
    .execute();
}

async function namesOf(trx: Writer, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const some of chunks([...ids])) {
    const agents = await trx.selectFrom("agents").select(["id", "name"]).where("id", "in", some).execute();
    for (const { id, name } of agents) names.set(id, name);
  }
  return names;
}
