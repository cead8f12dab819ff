import { ProblemError } from "@tributary/shared/problems.ts";
import type { LeaseRequest, LeaseState } from "@tributary/shared/protocol.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { Call } from "../identity/receiver.ts";
import { Leases, type Place } from "./lease.ts";

const pos: Place = { client: "acme", source: "pos" };
const erp: Place = { client: "acme", source: "erp" };

/** Time by hand: timers fire when the steady clock passes them, and it stands still while the machine sleeps. */
class World {
  steady = 0;
  wall = 1_000_000;
  readonly calls: LeaseRequest[] = [];
  readonly heard: string[] = [];
  readonly #timers = new Set<{ readonly at: number; readonly work: () => void }>();
  /** What the receiver says; it may throw, or not answer for a while. */
  answer: (request: LeaseRequest) => unknown = ({ wants }) =>
    wants.map((place): LeaseState => ({ ...place, held: true, term: 7, handOver: false }));

  readonly leases = new Leases({
    receiver: {
      call: async ({ body, signal }: Call) => {
        const request = JSON.parse(body as string) as LeaseRequest;
        this.calls.push(request);
        const answered = Promise.resolve(this.answer(request));
        const cut = new Promise<never>((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
        );
        const leases = await Promise.race([answered, cut]);
        return { status: 200, headers: {}, json: { ttlSeconds: 30, renewSeconds: 10, leases } };
      },
    },
    clocks: { steady: () => this.steady, wall: () => this.wall },
    gained: ({ source }, term) => this.heard.push(`gained ${source} ${term}`),
    lost: ({ source }, why) => this.heard.push(`lost ${source}: ${why}`),
    elsewhere: ({ source }, why) => this.heard.push(`elsewhere ${source}: ${why}`),
    handOver: ({ source }) => this.heard.push(`hand over ${source}`),
    refused: ({ code }) => this.heard.push(`refused ${code}`),
    fault: (cause) => this.heard.push(`fault ${String(cause)}`),
    random: () => 0.5,
    after: (ms, work) => {
      const timer = { at: this.steady + ms, work };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  });

  /** Whatever follows from what happened. */
  async settle(): Promise<void> {
    await new Promise(setImmediate);
  }

  async pass(ms: number): Promise<void> {
    const until = this.steady + ms;
    for (;;) {
      await this.settle();
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.wall += Math.max(0, due.at - this.steady);
      this.steady = Math.max(this.steady, due.at);
      due.work();
    }
    this.wall += until - this.steady;
    this.steady = until;
    await this.settle();
  }

  said(): string[] {
    return this.heard.splice(0);
  }
}

let world: World;
let leases: Leases;
beforeEach(() => {
  world = new World();
  leases = world.leases;
});
const unreachable = (): never => {
  throw new ProblemError("receiver-unreachable", "no way");
};

test("what is wanted is asked for, and renewed in time for as long as it is", async () => {
  leases.want([pos, erp]);
  await world.pass(200);
  expect(world.said()).toEqual(["gained pos 7", "gained erp 7"]);
  expect(leases.termOf("acme", "pos")).toBe(7);
  await world.pass(300_000);
  expect(world.said()).toEqual([]);
  expect(world.calls.length).toBeGreaterThanOrEqual(31);
  expect(world.calls.length).toBeLessThan(45);
  leases.want([]);
  await world.pass(200);
  expect(world.calls.at(-1)).toEqual({
    wants: [],
    releases: [
      { ...pos, term: 7 },
      { ...erp, term: 7 },
    ],
  });
  const before = world.calls.length;
  await world.pass(60_000);
  expect(world.calls).toHaveLength(before);
  expect(world.said()).toEqual([]);
});

describe("one that cannot be renewed is lost before the receiver gives it to another", () => {
  beforeEach(async () => {
    leases.want([pos]);
    await world.pass(150);
    world.said();
    world.answer = unreachable;
  });

  test("by the steady clock", async () => {
    const from = world.calls.length;
    await world.pass(24_800);
    expect(leases.termOf("acme", "pos")).toBe(7);
    expect(world.said().every((line) => line.startsWith("refused"))).toBe(true);
    await world.pass(300);
    expect(leases.termOf("acme", "pos")).toBeUndefined();
    expect(world.said()[0]).toBe("lost pos: it could not be renewed in time: no way");
    expect(world.calls.length - from).toBeGreaterThan(5);
    world.answer = ({ wants }) => wants.map((place) => ({ ...place, held: true, term: 7, handOver: false }));
    await world.pass(5000);
    expect(world.said()).toEqual(["gained pos 7"]);
  });

  test("by the wall clock, when the machine slept: at once, before any timer", async () => {
    await world.pass(1000);
    world.said();
    world.wall += 3_600_000;
    expect(leases.termOf("acme", "pos")).toBeUndefined();
    await world.pass(2000);
    expect(world.said()[0]).toBe("lost pos: it could not be renewed in time");
    expect(world.calls).toHaveLength(2);
  });
});

test("its time counts from before the question was sent", async () => {
  let later = Promise.withResolvers<unknown>();
  world.answer = () => later.promise;
  leases.want([pos]);
  await world.pass(150);
  await world.pass(20_000);
  later.resolve([{ ...pos, held: true, term: 7, handOver: false }]);
  await world.settle();
  expect(world.said()).toEqual(["gained pos 7"]);
  world.answer = unreachable;
  await world.pass(5000);
  expect(leases.termOf("acme", "pos")).toBeUndefined();
  // An answer that was on its way while the machine slept is no good any more.
  world.said();
  later = Promise.withResolvers();
  world.answer = () => later.promise;
  await world.pass(5000);
  world.wall += 60_000;
  later.resolve([{ ...pos, held: true, term: 7, handOver: false }]);
  await world.settle();
  expect(world.said()).toEqual([]);
});

test("what another has is said, and so is why a client's sources are nobody's", async () => {
  leases.want([pos, erp]);
  await world.pass(150);
  world.answer = () => [
    { ...pos, held: false, holder: "house-2" },
    { ...erp, held: false, holder: null, refused: "client-suspended" },
  ];
  await world.pass(10_000);
  expect(world.said().slice(2)).toEqual([
    'lost pos: the agent "house-2" has it',
    "lost erp: the client is suspended",
  ]);
  world.answer = () => [{ ...pos, held: true, term: 9, handOver: false }];
  await world.pass(10_000);
  expect(world.said()).toEqual(["gained pos 9"]);
});

test("who has it is said again to whoever asks for it anew", async () => {
  world.answer = ({ wants }) => wants.map((place) => ({ ...place, held: false, holder: "house-2" }));
  for (const wants of [[pos], [], [pos]]) {
    leases.want(wants);
    await world.pass(300);
  }
  expect(world.said()).toEqual([
    'elsewhere pos: the agent "house-2" has it',
    'elsewhere pos: the agent "house-2" has it',
  ]);
});

test("one that went and came back meanwhile is another", async () => {
  leases.want([pos]);
  await world.pass(150);
  world.answer = () => [{ ...pos, held: true, term: 9, handOver: false }];
  await world.pass(10_000);
  expect(world.said().slice(1)).toEqual(["lost pos: it was another's meanwhile", "gained pos 9"]);
});

test("it is asked to hand over once, releases at once, and takes no answer from before for a new lease", async () => {
  leases.want([pos, erp]);
  await world.pass(150);
  world.said();
  let handOver = true;
  world.answer = ({ wants }) => wants.map((place) => ({ ...place, held: true, term: 7, handOver }));
  await world.pass(30_000);
  expect(world.said()).toEqual(["hand over pos", "hand over erp"]);
  handOver = false;
  await world.pass(10_000);
  handOver = true;
  await world.pass(10_000);
  expect(world.said()).toEqual(["hand over pos", "hand over erp"]);

  const later = Promise.withResolvers<unknown>();
  world.answer = () => later.promise;
  await world.pass(10_000);
  leases.released(pos);
  expect(leases.termOf("acme", "pos")).toBeUndefined();
  later.resolve([pos, erp].map((place) => ({ ...place, held: true, term: 7, handOver: true })));
  world.answer = ({ wants }) =>
    wants.map((place) =>
      place.source === "pos"
        ? { ...place, held: false, holder: "house-2" }
        : { ...place, held: true, term: 7, handOver: false },
    );
  await world.pass(150);
  expect(world.calls.at(-1)).toEqual({ wants: [pos, erp], releases: [{ ...pos, term: 7 }] });
  await world.pass(10_000);
  expect(world.calls.at(-1)?.releases).toEqual([]);
  expect(world.said()).toEqual(['elsewhere pos: the agent "house-2" has it']);
  expect(leases.termOf("acme", "erp")).toBe(7);
});

test("a release that did not get through is told again", async () => {
  leases.want([pos]);
  await world.pass(150);
  world.answer = unreachable;
  leases.released(pos);
  await world.pass(5000);
  world.answer = ({ wants }) => wants.map((place) => ({ ...place, held: false, holder: null }));
  await world.pass(5000);
  expect(world.calls.at(-1)?.releases).toEqual([{ ...pos, term: 7 }]);
});

test("what the receiver refused under this term is lost, under an older one it says nothing", async () => {
  leases.want([pos]);
  await world.pass(150);
  world.said();
  leases.refusedUnder(pos, 6);
  expect(world.said()).toEqual([]);
  leases.refusedUnder(pos, 7);
  expect(world.said()).toEqual(["lost pos: the receiver says that another agent has it"]);
});

test("whatever is answered, it asks again", async () => {
  leases.want([pos]);
  world.answer = () => "nonsense";
  await world.pass(3000);
  expect(world.said()[0]).toBe("refused receiver-unreachable");
  world.answer = () => {
    throw new TypeError("a fault");
  };
  await world.pass(3000);
  expect(world.said().at(-1)).toBe("fault TypeError: a fault");
  world.answer = () => {
    throw new ProblemError("agent-revoked", "revoked");
  };
  await world.pass(4000);
  const before = world.calls.length;
  await world.pass(60_000);
  expect(world.calls.length - before).toBeLessThan(8);
  world.answer = () => [{ ...pos, held: true, term: 7, handOver: false }];
  await world.pass(15_000);
  expect(world.said().at(-1)).toBe("gained pos 7");
});

test("it leaves with one call that gives all back, and says nothing more", async () => {
  leases.want([pos, erp]);
  await world.pass(150);
  world.said();
  const later = Promise.withResolvers<unknown>();
  world.answer = () => later.promise;
  await world.pass(10_000);
  world.answer = () => [];
  const stopped = leases.stop();
  later.resolve([]);
  await stopped;
  expect(world.calls.at(-1)?.wants).toEqual([]);
  expect(world.calls.at(-1)?.releases).toHaveLength(2);
  const before = world.calls.length;
  await leases.stop();
  await world.pass(60_000);
  expect(world.calls).toHaveLength(before);
  expect(world.said()).toEqual([]);
});
