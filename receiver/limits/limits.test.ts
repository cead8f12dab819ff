/** Budgets, slots, guesses and fields over counts that the test moves; the counts themselves have a contract of their own. */
import type { Frequency } from "@tributary/shared/units.ts";
import { describe, expect, test } from "vitest";
import type { BearerLimits } from "../ledger/limits.ts";
import type { Counts } from "./counts.ts";
import { limitFields } from "./fields.ts";
import { Guesses } from "./guesses.ts";
import { memoryCounts } from "./memory.ts";
import { RequestLimits, refusalOf } from "./requests.ts";
import { called, subjectsOf } from "./subject.ts";
import { UploadLimits } from "./uploads.ts";

const none: BearerLimits = { requests: null, uploads: null, day: null, file: null };

describe("requests", () => {
  /** Counts in memory whose clock the test moves, and how often they were asked. */
  function scene() {
    const clock = { now: 0, asked: 0, away: false };
    const counts = memoryCounts(() => clock.now);
    const take: Counts["take"] = async (...question) => {
      clock.asked += 1;
      if (clock.away) throw new Error("away");
      return await counts.take(...question);
    };
    const limits = new RequestLimits({ take }, () => clock.now);
    const ask = async (most: Frequency, kind: "client" | "key" = "client") =>
      await limits.take([{ kind, name: "acme", most }]);
    return { clock, limits, ask };
  }
  const granted = (taken: Awaited<ReturnType<RequestLimits["take"]>>) => refusalOf(taken) === undefined;

  test("as many as the limit in a window, and more when they are as old as the window", async () => {
    const { clock, ask } = scene();
    const most = { count: 3, perMs: 60_000 };
    for (let i = 0; i < 3; i += 1) expect(granted(await ask(most))).toBe(true);
    clock.now = 20_500;
    const refused = await ask(most);
    expect(refusalOf(refused)).toMatchObject({
      code: "limit-requests",
      retryAfter: 40,
      message: expect.stringMatching(/the client "acme" may make 3 requests a minute.* in 40 s/),
    });
    clock.now = 60_000;
    expect(granted(await ask(most))).toBe(true);
  });

  test("a thousand requests a second ask a few dozen times, and who is refused asks nobody", async () => {
    const { clock, ask } = scene();
    const most = { count: 1000, perMs: 1000 };
    for (let i = 0; i < 1000; i += 1) expect(granted(await ask(most))).toBe(true);
    expect(clock.asked).toBeLessThan(70);
    const before = clock.asked;
    for (let i = 0; i < 100; i += 1) expect(granted(await ask(most))).toBe(false);
    expect(clock.asked - before).toBeLessThan(3);
  });

  test("of a key's limit inside its client's: who is refused by one costs the other nothing", async () => {
    const { limits } = scene();
    const key = { kind: "key", name: "k", most: { count: 2, perMs: 60_000 } } as const;
    const client = { kind: "client", name: "acme", most: { count: 3, perMs: 60_000 } } as const;
    for (let i = 0; i < 2; i += 1) expect(granted(await limits.take([key, client]))).toBe(true);
    for (let i = 0; i < 5; i += 1) expect(granted(await limits.take([key, client]))).toBe(false);
    expect(granted(await limits.take([client]))).toBe(true);
    expect(granted(await limits.take([client]))).toBe(false);
    const other = { ...key, name: "other" };
    const refused = await limits.take([other, client]);
    expect(refusalOf(refused)?.message).toContain("the client");
    expect(limitFields([other], await limits.take([other]))["RateLimit"]).toBe('"key";r=1;t=60');
  });

  test("counts that do not answer refuse nobody, and are left alone for a second", async () => {
    const { clock, ask } = scene();
    clock.away = true;
    const most = { count: 1, perMs: 60_000 };
    for (let i = 0; i < 10; i += 1) expect(granted(await ask(most))).toBe(true);
    expect(clock.asked).toBe(1);
    clock.away = false;
    clock.now = 1000;
    expect(granted(await ask(most))).toBe(true);
    expect(granted(await ask(most))).toBe(false);
  });

  test("a limit that is made larger or smaller is in force at once", async () => {
    const { ask } = scene();
    for (let i = 0; i < 3; i += 1) await ask({ count: 3, perMs: 60_000 });
    expect(granted(await ask({ count: 3, perMs: 60_000 }))).toBe(false);
    expect(granted(await ask({ count: 4, perMs: 60_000 }))).toBe(true);
    expect(granted(await ask({ count: 4, perMs: 60_000 }))).toBe(false);
    for (let i = 0; i < 100; i += 1) await ask({ count: 10_000, perMs: 60_000 });
    // Of what was taken in advance a little may be used.
    await ask({ count: 10, perMs: 60_000 });
    expect(granted(await ask({ count: 10, perMs: 60_000 }))).toBe(false);
  });

  test("an answer that comes when there should be more already is an answer", async () => {
    const clock = { now: 0 };
    const counts = memoryCounts(() => clock.now);
    const take: Counts["take"] = async (...question) => {
      const taken = await counts.take(...question);
      clock.now += 400;
      return { ...taken, moreInMs: Math.min(300, taken.moreInMs) };
    };
    const limits = new RequestLimits({ take }, () => clock.now);
    const most = { count: 1, perMs: 60_000 };
    const ask = async () => granted(await limits.take([{ kind: "client", name: "acme", most }]));
    expect([await ask(), await ask(), await ask()]).toEqual([true, false, false]);
  });

  test("the fields of an answer, an item for each limit", async () => {
    const { ask } = scene();
    expect(limitFields([], [])).toEqual({});
    const both = [
      ...(await ask({ count: 600, perMs: 60_000 })),
      ...(await ask({ count: 10, perMs: 1000 }, "key")),
    ];
    expect(
      limitFields(
        both.map(({ subject }) => subject),
        both,
      ),
    ).toEqual({
      "RateLimit-Policy": '"client";q=600;w=60, "key";q=10;w=1',
      RateLimit: '"client";r=599;t=60, "key";r=9;t=1',
    });
  });
});

describe("uploads", () => {
  const subject = { kind: "client", name: "acme", most: 2 } as const;

  test("as many at once as the limit, again when one has ended", async () => {
    const limits = new UploadLimits(memoryCounts());
    const taken = await Promise.all([1, 2, 3].map(() => limits.take([subject])));
    expect(taken.filter((one) => "full" in one)).toEqual([{ full: subject }]);
    for (const one of taken) if ("release" in one) one.release();
    expect(await limits.take([subject])).toHaveProperty("release");
    await limits.close();
  });

  test("who is refused by the client's limit has taken nothing of the key's", async () => {
    const limits = new UploadLimits(memoryCounts());
    const key = { kind: "key", name: "k", most: 1 } as const;
    const full = { ...subject, most: 1 };
    const first = await limits.take([full]);
    expect(await limits.take([key, full])).toEqual({ full });
    if ("release" in first) first.release();
    expect(await limits.take([key, full])).toHaveProperty("release");
    await limits.close();
  });

  test("a stream of small uploads asks when it grows, and gives back when it ends", async () => {
    const asked: number[] = [];
    const hold: Counts["hold"] = async (_subject, wanted, most) => {
      asked.push(wanted);
      return Math.min(wanted, most);
    };
    const limits = new UploadLimits({ hold }, 20);
    for (let i = 0; i < 1000; i += 1) {
      const taken = await limits.take([subject]);
      if ("release" in taken) taken.release();
    }
    expect(asked.length).toBeLessThan(20);
    await expect.poll(() => asked.at(-1)).toBe(0);
    await limits.close();
  });

  test("counts that do not answer refuse nobody up to the limit, which each receiver keeps by itself", async () => {
    const limits = new UploadLimits({ hold: async () => await Promise.reject(new Error("away")) });
    expect(await limits.take([subject])).toHaveProperty("release");
    expect(await limits.take([subject])).toHaveProperty("release");
    expect(await limits.take([subject])).toHaveProperty("full");
    await limits.close();
  });
});

describe("who is limited", () => {
  const requests = { count: 5, perMs: 1000 };
  const bearer = { kind: "key", id: "k" } as const;
  test.for([
    ["nobody, unless somebody says so", {}, { requests: null, uploads: null }, []],
    ["a client without a limit of its own, by the default", {}, { requests, uploads: null }, ["client acme"]],
    [
      "a client with one, by that",
      { clientLimits: new Map([["acme", { requests, uploads: null }]]) },
      { requests: null, uploads: null },
      ["client acme"],
    ],
    [
      "the key before its client",
      { limits: { ...none, requests } },
      { requests, uploads: null },
      ["key k", "client acme"],
    ],
  ] as const)("%s", ([, more, defaults, expected]) => {
    const found = subjectsOf("requests", { ...bearer, ...more }, "acme", defaults);
    expect(found.map(({ kind, name }) => `${kind} ${name}`)).toEqual(expected);
  });
});

test("an SFTP account is counted by its id, and called by the name that it logs in with", () => {
  const requests = { count: 5, perMs: 1000 };
  const bearer = { kind: "account", id: "89f2c34c1d6a77e0", user: "till-7" } as const;
  const [subject] = subjectsOf("requests", { ...bearer, limits: { ...none, requests } }, undefined, {
    requests: null,
    uploads: null,
  });
  expect(subject?.name).toBe("89f2c34c1d6a77e0");
  expect(subject && called(subject)).toBe('the SFTP account "till-7"');
});

test("every kind is called as people call it", () => {
  const kinds = ["client", "agent", "key", "account"] as const;
  expect(kinds.map((kind) => called({ kind, name: "n" }))).toEqual([
    'the client "n"',
    'the agent "n"',
    'the API key "n"',
    'the SFTP account "n"',
  ]);
});

describe("guesses", () => {
  const scene = () => {
    const clock = { now: 0 };
    return { clock, guesses: new Guesses(() => clock.now) };
  };

  test("thirty different wrong ones in a minute, then nobody unknown is looked at until it is over", () => {
    const { clock, guesses } = scene();
    for (let i = 0; i < 30; i += 1) {
      expect(guesses.waitMs("nat", `guess ${i}`)).toBe(0);
      guesses.wasWrong("nat", `guess ${i}`);
    }
    clock.now = 15_000;
    expect(guesses.waitMs("nat", "guess 31")).toBe(45_000);
    expect(guesses.waitMs("elsewhere", "guess 31")).toBe(0);
    clock.now = 60_000;
    expect(guesses.waitMs("nat", "guess 31")).toBe(0);
  });

  test("as many as it was told", () => {
    const guesses = new Guesses(() => 0, 2);
    for (let i = 0; i < 2; i += 1) guesses.wasWrong("nat", `guess ${i}`);
    expect(guesses.waitMs("nat", "guess 3")).toBe(60_000);
  });

  test("one mistyped key, however often, locks out itself alone", () => {
    const { guesses } = scene();
    for (let i = 0; i < 1000; i += 1)
      if (guesses.waitMs("nat", "mistyped") === 0) guesses.wasWrong("nat", "mistyped");
    expect(guesses.waitMs("nat", "mistyped")).toBe(60_000);
    expect(guesses.waitMs("nat", "of a neighbour")).toBe(0);
  });

  test("who has shown right credentials lately is let in whatever others at the address do", () => {
    const { clock, guesses } = scene();
    guesses.wasRight("good");
    for (let i = 0; i < 100; i += 1) guesses.wasWrong("nat", `guess ${i}`);
    expect(guesses.waitMs("nat", "good")).toBe(0);
    clock.now = 3_600_000;
    for (let i = 0; i < 100; i += 1) guesses.wasWrong("nat", `guess ${i}`);
    expect(guesses.waitMs("nat", "good")).toBe(60_000);
  });
});
