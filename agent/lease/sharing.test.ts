import { ProblemError } from "@tributary/shared/problems.ts";
import { beforeEach, expect, test } from "vitest";
import type { LeasesOptions, Place } from "./lease.ts";
import { Sharing } from "./sharing.ts";

const erp: Place = { client: "acme", source: "erp" };

let events: Pick<LeasesOptions, "gained" | "lost" | "elsewhere" | "handOver" | "refused">;
let heard: string[];
/** What becomes of taking a source over. */
let takingOver: () => Promise<{ overtaken: number; learned: number }>;
let waiting: boolean;
let ending: () => Promise<void>;
let sharing: Sharing;

beforeEach(() => {
  heard = [];
  waiting = false;
  ending = () => Promise.resolve();
  takingOver = () => Promise.resolve({ overtaken: 0, learned: 0 });
  sharing = new Sharing({
    openLeases: (given) => {
      events = given;
      return {
        want: (places) => void heard.push(`want ${places.map(({ source }) => source).join()}`),
        released: ({ source }) => void heard.push(`released ${source}`),
        refusedUnder: ({ source }, term) => void heard.push(`refused ${source} ${term}`),
        stop: async () => void heard.push("stop"),
      };
    },
    takeOver: async (_place, _term, signal) => {
      const taken = await takingOver();
      signal.throwIfAborted();
      return taken;
    },
    waits: () => waiting,
    begin: async ({ source }) => void heard.push(`begin ${source}`),
    end: async ({ source }) => {
      heard.push(`end ${source}`);
      await ending();
    },
    say: () => undefined,
    warn: (words) => void heard.push(`warn ${words}`),
    fault: (cause) => void heard.push(`fault ${String(cause)}`),
    againMs: 10,
  });
});

const refusal = (words: string) => expect.objectContaining({ code: "lease-lost", message: words });
const term = (): number => sharing.termOf(erp);

test("nothing is asked for where nothing is shared", () => {
  sharing.want([]);
  expect(heard).toEqual([]);
});

test("it is captured once what was brought before is known, and nothing leaves sooner", async () => {
  const taken = Promise.withResolvers<{ overtaken: number; learned: number }>();
  takingOver = () => taken.promise;
  sharing.want([erp]);
  expect(term).toThrow(refusal("whether another agent has it is not known yet"));
  events.gained(erp, 7);
  expect(term).toThrow(refusal("it is being taken over"));
  expect(sharing.isHere(erp)).toBe(false);
  taken.resolve({ overtaken: 1, learned: 2 });
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  expect(term()).toBe(7);
  expect(heard).toEqual(["want erp", "end erp", "begin erp"]);
});

test("what cannot be taken over is tried again, and says why", async () => {
  takingOver = () => Promise.reject(new ProblemError("receiver-unreachable", "nobody answers"));
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.why(erp)).toBe("it cannot be taken over yet: nobody answers");
  takingOver = () => Promise.resolve({ overtaken: 0, learned: 0 });
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
});

test("lost while it is being taken over: it never begins", async () => {
  const taken = Promise.withResolvers<{ overtaken: number; learned: number }>();
  takingOver = () => taken.promise;
  sharing.want([erp]);
  events.gained(erp, 7);
  events.lost(erp, 'the agent "two" has it');
  taken.resolve({ overtaken: 0, learned: 0 });
  await expect.poll(() => heard).toEqual(["want erp", "end erp", "end erp"]);
  expect(sharing.isHere(erp)).toBe(false);
  expect(term).toThrow(refusal('the agent "two" has it'));
});

test("lost and gained anew: under the new term", async () => {
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  events.lost(erp, "it could not be renewed in time");
  events.gained(erp, 9);
  await expect.poll(() => sharing.isHere(erp) && term()).toBe(9);
  expect(heard).toEqual(["want erp", "end erp", "begin erp", "end erp", "end erp", "begin erp"]);
});

test("given to another: what is on its way leaves first", async () => {
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  waiting = true;
  events.handOver(erp);
  await expect.poll(() => heard.filter((one) => one === "end erp")).toHaveLength(2);
  expect(sharing.isHere(erp)).toBe(false);
  expect(term()).toBe(7);
  expect(heard).not.toContain("released erp");
  waiting = false;
  await expect.poll(() => heard.at(-1)).toBe("released erp");
  expect(term).toThrow(refusal("it is given to another agent"));
});

test("a refusal of the receiver is passed on with the term that it was for", async () => {
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  sharing.refused(erp, 7);
  expect(heard.filter((one) => one.startsWith("refused"))).toEqual(["refused erp 7"]);
});

test("a fault while it is taken over is told once, and tried again: nobody else has the source", async () => {
  let tries = 0;
  takingOver = () => {
    tries += 1;
    return tries < 4
      ? Promise.reject(new TypeError("a fault of ours"))
      : Promise.resolve({ overtaken: 0, learned: 0 });
  };
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  expect(heard.filter((one) => one.startsWith("fault"))).toEqual(["fault TypeError: a fault of ours"]);
});

test("gained anew under the same term: nobody had it meanwhile, and it is not taken over again", async () => {
  sharing.want([erp]);
  events.gained(erp, 7);
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
  takingOver = () => Promise.reject(new Error("not asked for"));
  events.lost(erp, "it could not be renewed in time");
  events.gained(erp, 7);
  await expect.poll(() => heard).toEqual(["want erp", "end erp", "begin erp", "end erp", "begin erp"]);
  expect(term()).toBe(7);
});

test("nothing is captured while it is taken over, also not what is still being ended", async () => {
  const ended = Promise.withResolvers<void>();
  ending = () => ended.promise;
  let asked = 0;
  takingOver = () => {
    asked += 1;
    return Promise.resolve({ overtaken: 0, learned: 0 });
  };
  sharing.want([erp]);
  events.gained(erp, 7);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked).toBe(0);
  ended.resolve();
  await expect.poll(() => sharing.isHere(erp)).toBe(true);
});

test("a receiver that knows no leases: what that means is said once, and why nothing comes", () => {
  sharing.want([erp]);
  events.refused(new ProblemError("receiver-unreachable", "nobody answers"));
  expect(sharing.why(erp)).toBe("whether another agent has it cannot be asked: nobody answers");
  for (let i = 0; i < 3; i += 1) events.refused(new ProblemError("not-found", "there is no /v1/leases"));
  expect(sharing.why(erp)).toMatch(/^the receiver is older than this agent.*update it/);
  expect(heard.filter((one) => one.startsWith("warn"))).toHaveLength(1);
  events.elsewhere(erp, 'the agent "two" has it');
  expect(sharing.why(erp)).toBe('the agent "two" has it');
});

test("who has it is said", () => {
  sharing.want([erp]);
  events.elsewhere(erp, 'the agent "two" has it');
  expect(sharing.why(erp)).toBe('the agent "two" has it');
});

test("wanted no more while it is being taken over: it never begins", async () => {
  const taken = Promise.withResolvers<{ overtaken: number; learned: number }>();
  takingOver = () => taken.promise;
  sharing.want([erp]);
  events.gained(erp, 7);
  sharing.want([]);
  taken.resolve({ overtaken: 0, learned: 0 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toEqual(["want erp", "end erp", "want "]);
});
