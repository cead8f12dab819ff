import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Asker, type Lease, share } from "./sharing.ts";

/** Leases as the receiver keeps them, and agents that call when they like, in a time that is made by hand. */
class World {
  now = 1_000_000;
  readonly leases = new Map<string, Lease & { readonly term: number }>();
  readonly askers = new Map<string, Asker>();
  /** Times that a lease went to somebody. */
  grants = 0;

  call(
    agentId: string,
    places: readonly string[],
    releases: readonly string[] = [],
  ): ReturnType<typeof share> {
    for (const place of releases) {
      const lease = this.leases.get(place);
      if (lease?.agentId === agentId) this.leases.set(place, { ...lease, agentId: null, until: this.now });
    }
    const wants = new Set(places);
    this.askers.set(agentId, { agentId, heardAt: this.now, wants });
    const told = share(agentId, this.leases, [...this.askers.values()], this.now);
    for (const place of wants) {
      const lease = this.leases.get(place) ?? { place, agentId: null, term: 0, until: this.now };
      if (told.held.has(place)) {
        const same = lease.agentId === agentId;
        if (!same) {
          // Nobody loses what it has not let run out.
          expect(lease.agentId === null || lease.until <= this.now, place).toBe(true);
          this.grants += 1;
        }
        const term = same ? lease.term : lease.term + 1;
        this.leases.set(place, { place, agentId, term, until: this.now + 30_000 });
      } else if (!this.leases.has(place)) this.leases.set(place, lease);
    }
    return told;
  }

  heldBy(agentId: string): string[] {
    return [...this.leases.values()]
      .filter((lease) => lease.agentId === agentId && lease.until > this.now)
      .map((lease) => lease.place);
  }
}

interface Member {
  readonly id: string;
  readonly places: readonly string[];
  /** ms between calls: at most the renew period, less what the way takes. */
  readonly every: number;
  next: number;
  due: string[];
}

/**
 * Lets the members call in their turns for `ms`; each releases at its next call what it was told to hand over. Nothing
 * that they want lies for longer than two renew periods.
 */
function live(world: World, members: readonly Member[], ms: number): void {
  const until = world.now + ms;
  for (;;) {
    const first = members.reduce((a, b) => (b.next < a.next ? b : a));
    if (first.next > until) break;
    world.now = Math.max(world.now, first.next);
    const told = world.call(first.id, first.places, first.due);
    for (const { places } of members)
      for (const place of places)
        if (world.now - (world.leases.get(place)?.until ?? world.now) > 20_000)
          throw new Error(`${place} lies since ${world.leases.get(place)?.until}, it is ${world.now}`);
    first.due = [...told.handOver];
    first.next = world.now + first.every;
  }
  world.now = until;
}

const names = ["a", "b", "c", "d", "e"];
const placesOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);
const crowd = fc.record({
  count: fc.integer({ min: 0, max: 40 }),
  every: fc.array(fc.integer({ min: 3000, max: 9500 }), { minLength: 1, maxLength: 5 }),
  starts: fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 5, maxLength: 5 }),
});
const membersOf = (
  world: World,
  { count, every, starts }: { count: number; every: number[]; starts: number[] },
): Member[] =>
  every.map((ms, i) => ({
    id: names[i] as string,
    places: placesOf(count),
    every: ms,
    next: world.now + (starts[i] as number),
    due: [],
  }));

describe("leases are shared", () => {
  test("evenly among all that live, wherever they begin, and then nothing moves any more", () => {
    fc.assert(
      fc.property(crowd, (given) => {
        const world = new World();
        const members = membersOf(world, given);
        live(world, members, 60_000 + 60_000);
        const counts = members.map(({ id }) => world.heldBy(id).length);
        expect(counts.reduce((a, b) => a + b, 0)).toBe(given.count);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const before = world.grants;
        live(world, members, 600_000);
        expect(world.grants).toBe(before);
        expect(members.flatMap(({ due }) => due)).toEqual([]);
      }),
    );
  });

  test("a dead holder's go to the others within its time and a renew period; what it says later is not heeded", () => {
    fc.assert(
      fc.property(crowd, fc.nat(), (given, which) => {
        fc.pre(given.every.length > 1);
        const world = new World();
        const members = membersOf(world, given);
        live(world, members, 120_000);
        const dead = members[which % members.length] as Member;
        const its = world.heldBy(dead.id);
        const terms = new Map(its.map((place) => [place, world.leases.get(place)?.term ?? 0]));
        const rest = members.filter((member) => member !== dead);
        // Its last call was at most its own period ago.
        live(world, rest, 40_000);
        expect(world.heldBy(dead.id)).toEqual([]);
        expect(rest.flatMap(({ id }) => world.heldBy(id)).length).toBe(given.count);
        for (const [place, term] of terms) expect(world.leases.get(place)?.term).toBeGreaterThan(term);
        world.call(dead.id, dead.places, its);
        expect(rest.flatMap(({ id }) => world.heldBy(id)).length).toBe(given.count);
      }),
    );
  });

  test("one that comes later has its part within a minute", () => {
    fc.assert(
      fc.property(crowd, (given) => {
        const world = new World();
        const [late, ...members] = membersOf(world, { ...given, starts: [0, 0, 0, 0, 0] });
        fc.pre(late !== undefined && members.length > 0);
        live(world, members, 120_000);
        const all = [...members, { ...(late as Member), next: world.now }];
        live(world, all, 45_000);
        const counts = all.map(({ id }) => world.heldBy(id).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("whatever each wants: all that is wanted is held by one who wants it, and it comes to rest", () => {
    const wants = fc.array(fc.subarray(placesOf(12)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(wants, crowd, (sets, given) => {
        const world = new World();
        const members = sets.map((places, i) => ({
          id: names[i] as string,
          places,
          every: given.every[i % given.every.length] as number,
          next: world.now + (given.starts[i] as number),
          due: [],
        }));
        live(world, members, 180_000);
        for (const place of new Set(sets.flat()))
          expect(members.filter(({ id }) => world.heldBy(id).includes(place))).toHaveLength(1);
        for (const { id, places } of members)
          for (const place of world.heldBy(id)) expect(places).toContain(place);
        const before = world.grants;
        live(world, members, 600_000);
        expect(world.grants).toBe(before);
      }),
    );
  });
});

test("one kept for another who does not come goes to whoever asks, after a renew period", () => {
  const world = new World();
  world.call("a", ["p", "q"]);
  expect(world.call("b", ["p", "q"]).held).toEqual(new Set());
  expect(world.call("a", ["p", "q"]).handOver).toEqual(new Set(["p"]));
  world.now += 1000;
  expect(world.call("a", ["p", "q"], ["p"]).held).toEqual(new Set(["q"]));
  world.now += 9999;
  expect(world.call("a", ["p", "q"]).held).toEqual(new Set(["q"]));
  world.now += 1;
  expect(world.call("a", ["p", "q"]).held).toEqual(new Set(["p", "q"]));
});

test("its holder, who was away and whom nobody has followed, has it on", () => {
  const world = new World();
  world.call("a", ["p"]);
  world.now += 3_600_000;
  world.call("a", ["p"]);
  expect(world.leases.get("p")).toMatchObject({ agentId: "a", term: 1 });
});

test("a clock that is turned back a day keeps nothing for anybody", () => {
  const world = new World();
  world.call("a", ["p"]);
  world.now -= 86_400_000;
  world.askers.clear();
  const told = share(
    "b",
    world.leases,
    [{ agentId: "b", heardAt: world.now, wants: new Set(["p"]) }],
    world.now,
  );
  expect(told.held).toEqual(new Set(["p"]));
});
