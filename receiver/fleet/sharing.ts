/** Who polls which source: decided from who asks for what, who has what, and how long ago each was heard. Pure. */
import { LEASE } from "@tributary/shared/protocol.ts";

/** A lease as it is kept. Times in ms. */
export interface Lease {
  /** What it is of. */
  readonly place: string;
  readonly agentId: string | null;
  /** When it ends; of one that nobody has, since when nobody has it. */
  readonly until: number;
}

/** An agent, with all that it would poll. */
export interface Asker {
  readonly agentId: string;
  readonly heardAt: number;
  readonly wants: ReadonlySet<string>;
}

/** What the one that asks now is told: the places that it holds from now on; of those, which others shall have. */
export interface Share {
  readonly held: ReadonlySet<string>;
  readonly handOver: ReadonlySet<string>;
}

const TTL_MS = LEASE.ttlSeconds * 1000;
/** How long a free lease is kept for whoever has less: it asks again within this time. */
const KEPT_MS = LEASE.renewSeconds * 1000;

export function isLiving({ heardAt }: Pick<Asker, "heardAt">, now: number): boolean {
  return Math.abs(now - heardAt) < TTL_MS;
}

/** An end that is too far off was written before the clock was turned back. */
export function runs({ agentId, until }: Pick<Lease, "agentId" | "until">, now: number): boolean {
  return agentId !== null && until > now && until <= now + TTL_MS;
}

/**
 * `leases` are all that there are, `askers` all that were heard lately, the one that asks (`me`) among them, as it asks now.
 * Fair is it when nobody holds two more than another who wants one of them: so it ends, and then nothing moves any more,
 * since every move makes the greatest differences smaller.
 */
export function share(
  me: string,
  leases: ReadonlyMap<string, Lease>,
  askers: readonly Asker[],
  now: number,
): Share {
  const living = askers.filter((asker) => asker.agentId === me || isLiving(asker, now));
  const counts = new Map(living.map(({ agentId }) => [agentId, 0]));
  const count = (agentId: string): number => counts.get(agentId) ?? 0;
  const add = (agentId: string, by: number): void => void counts.set(agentId, count(agentId) + by);
  /** Who wants it and has least; of equals `me`, then by id. */
  const least = (place: string, but?: string): string | undefined => {
    let found: string | undefined;
    for (const { agentId, wants } of living) {
      if (agentId === but || !wants.has(place)) continue;
      const less = found === undefined ? -1 : count(agentId) - count(found);
      if (less < 0 || (less === 0 && found !== me && (agentId === me || agentId < (found ?? ""))))
        found = agentId;
    }
    return found;
  };
  const wants = living.find(({ agentId }) => agentId === me)?.wants ?? new Set<string>();
  const places = [...new Set(living.flatMap((asker) => [...asker.wants]))].sort();

  const holders = new Map<string, string>();
  for (const lease of leases.values()) {
    // One that has run out, and that nobody has taken, is its holder's again.
    if (!runs(lease, now) && !(lease.agentId === me && wants.has(lease.place))) continue;
    holders.set(lease.place, lease.agentId as string);
    add(lease.agentId as string, 1);
  }
  const held = new Set(places.filter((place) => holders.get(place) === me && wants.has(place)));

  for (const place of places) {
    if (holders.has(place)) continue;
    const freeFor = now - (leases.get(place)?.until ?? now);
    const next = wants.has(place) && (freeFor >= KEPT_MS || freeFor < 0) ? me : least(place);
    if (next === undefined) continue;
    add(next, 1);
    if (next === me) held.add(place);
  }

  const handOver = new Set<string>();
  const taken = [...holders].sort(([a], [b]) => (a < b ? -1 : 1));
  const moved = new Set<string>();
  for (let before = -1; before !== moved.size; ) {
    before = moved.size;
    for (const [place, holder] of taken) {
      const to = moved.has(place) ? undefined : least(place, holder);
      if (to === undefined || count(to) + 1 >= count(holder)) continue;
      moved.add(place);
      add(holder, -1);
      add(to, 1);
      if (holder === me && held.has(place)) handOver.add(place);
    }
  }
  return { held, handOver };
}
