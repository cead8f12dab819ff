/** What needs somebody: each cause, how bad it is, how long it is waited for, and in which order it is shown. */
import type { Held, HeldReason } from "@tributary/shared/protocol.ts";
import { HELD_REASONS } from "@tributary/shared/protocol.ts";
import { describe, expect, test } from "vitest";
import type { AgentSummary } from "../fleet/view.ts";
import type { AgentStatus } from "../identity/agents.ts";
import { attentionOf, attentionOfClient, type Facts } from "./attention.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ago = (ms: number): string => new Date(NOW - ms).toISOString();

type Status = Partial<AgentStatus>;
type Source = AgentStatus["sources"][number];

const QUEUE = { files: 0, bytes: 0, oldestSealedAt: null, aside: 0 };
const agent = (id: string, more: Partial<AgentSummary> = {}): AgentSummary => ({
  ...{ id, name: `till ${id}`, clients: ["acme"], state: "active", host: "h", platform: "linux" },
  ...{
    version: "1",
    createdAt: ago(24 * HOUR),
    lastSeenAt: ago(MINUTE),
    skewMs: 0,
    queue: QUEUE,
    sources: 1,
  },
  ...{ settling: 0, pause: null, unreachable: [], unreachableSources: 0, problems: 0, worst: [] },
  ...more,
});
const source = (name: string, more: Partial<Source> = {}): Source => ({
  ...{ name, client: "acme", kind: "folder", reachable: true, files: 1, settling: 0, problems: 0 },
  ...more,
});
const holding = (...held: Held[]): Partial<Source> => ({ pipe: { held } as unknown as Source["pipe"] });
const held = (reason: HeldReason, ms: number | undefined, more: Partial<Held> = {}): Held => ({
  ...{ stage: "settling", reason, count: 3 },
  ...(ms === undefined ? {} : { since: ago(ms) }),
  ...more,
});
const late = (name: string, by = HOUR, client = "acme") => ({
  ...{ client, source: name, usualBy: NOW - by, lastAt: NOW - 24 * HOUR },
});
const refusal = (more: Partial<Facts["refusals"][number]> = {}): Facts["refusals"][number] => ({
  ...{ client: "acme", bearer: "b", name: "nightly", code: "quota-day", count: 4, firstAt: ago(2 * HOUR) },
  ...{ lastAt: ago(MINUTE), lastDetail: "used up", lastRequestId: "r", ...more },
});
const webhook = (more: Partial<Facts["webhooks"][number]>): Facts["webhooks"][number] => ({
  ...{ id: "w", name: null, client: "acme", state: "active", dead: 0, failingSince: null, lastFailure: null },
  ...more,
});

interface Given extends Partial<Omit<Facts, "statusOf">> {
  readonly said?: Readonly<Record<string, Status>>;
}

function found({ said = {}, ...facts }: Given) {
  return attentionOf({
    ...{ now: NOW, agents: [], late: [], refusals: [], webhooks: [], suspended: new Set<string>() },
    quarantine: [],
    ...facts,
    statusOf: (id) => (said[id] as AgentStatus | undefined) ?? null,
  });
}

/** severity, id, since. */
const words = (given: Given): string[] =>
  found(given).map(({ severity, id, since }) => `${severity}: ${id}${since === null ? "" : ` ${since}`}`);

describe("each cause", () => {
  test("nothing is wrong: nothing is there", () => {
    expect(found({})).toEqual([]);
    expect(found({ agents: [agent("a"), agent("b", { state: "waiting" })] })).toEqual([]);
    expect(found({ agents: [agent("a", { state: "revoked", skewMs: 1e9 })] })).toEqual([]);
    expect(found({ agents: [agent("a")], said: { a: { sources: [source("pos", holding())] } } })).toEqual([]);
  });

  const paused = { since: ago(HOUR), by: "ada" };
  const cases: readonly (readonly [string, Given, string, object])[] = [
    [
      "an agent that is silent",
      { agents: [agent("a", { state: "silent", lastSeenAt: ago(HOUR), queue: { ...QUEUE, files: 7 } })] },
      `trouble: silent a ${ago(HOUR)}`,
      { kind: "agent-silent", lastSeenAt: ago(HOUR), waiting: 7 },
    ],
    [
      "one that never came",
      { agents: [agent("a", { state: "silent", lastSeenAt: null })] },
      `trouble: silent a ${ago(24 * HOUR)}`,
      { kind: "agent-silent", lastSeenAt: null, waiting: 0 },
    ],
    [
      "two hosts with one identity",
      {
        agents: [agent("a", { state: "forked" })],
        said: { a: { fork: { hosts: ["h1", "h2"], foundAt: ago(MINUTE) } } as Status },
      },
      `trouble: forked a ${ago(MINUTE)}`,
      { kind: "agent-forked", hosts: ["h1", "h2"] },
    ],
    [
      "an agent that is paused",
      { agents: [agent("a", { pause: paused, queue: { ...QUEUE, files: 2 } })] },
      `attention: paused a ${ago(HOUR)}`,
      { kind: "agent-paused", by: "ada", waiting: 2 },
    ],
    [
      "a clock that is wrong",
      { agents: [agent("a", { skewMs: -6 * MINUTE })] },
      "attention: clock a",
      { kind: "clock", skewMs: -6 * MINUTE },
    ],
    [
      "a source that cannot be reached",
      {
        agents: [agent("a")],
        said: {
          a: {
            sources: [
              source("pos", {
                ...{ reachable: false, reason: "no such folder", lastScanAt: ago(5) },
                ...holding(held("source-unreachable", 2 * HOUR)),
              }),
            ],
          },
        },
      },
      `trouble: unreachable a acme pos ${ago(2 * HOUR)}`,
      { kind: "source-unreachable", reason: "no such folder" },
    ],
    [
      "files that are locked",
      {
        agents: [agent("a")],
        said: { a: { sources: [source("pos", holding(held("locked", HOUR, { path: "till.dbf" })))] } },
      },
      `attention: held a acme pos settling locked ${ago(HOUR)}`,
      { kind: "held", stage: "settling", reason: "locked", count: 3, path: "till.dbf" },
    ],
    [
      "files that were set aside",
      {
        agents: [agent("a", { queue: { ...QUEUE, aside: 2 } })],
        said: {
          a: {
            problems: [{ code: "path-invalid", detail: "a path", since: ago(HOUR) }] as never,
            sources: [],
          },
        },
      },
      `attention: aside a ${ago(HOUR)}`,
      { kind: "set-aside", count: 2, code: "path-invalid", detail: "a path" },
    ],
    [
      "what was refused",
      { refusals: [refusal()] },
      `attention: refused acme b quota-day ${ago(2 * HOUR)}`,
      {
        ...{ kind: "refused", bearer: "b", name: "nightly", code: "quota-day", count: 4 },
        ...{ detail: "used up", requestId: "r" },
      },
    ],
    [
      "what is in quarantine",
      { quarantine: [{ client: "acme", files: 2, bytes: 9, oldest: NOW - HOUR }] },
      `attention: quarantine ${ago(HOUR)}`,
      { kind: "quarantine", files: 2, bytes: 9 },
    ],
    [
      "a webhook that fails",
      { webhooks: [webhook({ state: "failing", failingSince: ago(HOUR), lastFailure: "503" })] },
      `attention: webhook w ${ago(HOUR)}`,
      { kind: "webhook", webhook: "w", name: null, state: "failing", dead: 0, failure: "503" },
    ],
    [
      "dead letters",
      { webhooks: [webhook({ dead: 3 })] },
      "attention: webhook w",
      { kind: "webhook", webhook: "w", name: null, state: "active", dead: 3, failure: null },
    ],
    [
      "a feed that is late, and nobody says why",
      { late: [late("pos")] },
      "trouble: late acme pos",
      { kind: "not-known" },
    ],
  ];
  test.for(cases)("%s", ([, given, line, cause]) => {
    expect(words(given)).toEqual([line]);
    expect(found(given)[0]?.cause).toEqual(cause);
  });

  test("a webhook that is revoked, or only suspended with its client, is nobody's business", () => {
    for (const state of ["revoked", "suspended", "active"])
      expect(found({ webhooks: [webhook({ state, dead: state === "revoked" ? 4 : 0 })] })).toEqual([]);
  });

  test("a refusal that did not come again has passed", () => {
    expect(found({ refusals: [refusal({ lastAt: ago(HOUR + 1) })] })).toEqual([]);
    expect(found({ refusals: [refusal({ client: "" })] })[0]?.client).toBeNull();
  });

  test("a file that is held is shown once, as what is in quarantine", () => {
    expect(words({ refusals: [refusal({ code: "quarantined" })] })).toEqual([]);
  });

  test("what was refused while its client was suspended has passed when it is resumed", () => {
    expect(words({ refusals: [refusal({ code: "client-suspended" })] })).toEqual([]);
  });

  test("a clock may be off by five minutes", () => {
    expect(found({ agents: [agent("a", { skewMs: 5 * MINUTE })] })).toEqual([]);
    expect(found({ agents: [agent("a", { skewMs: 5 * MINUTE + 1 })] })).toHaveLength(1);
  });

  test("of a house agent no client is named", () => {
    const house = agent("a", { clients: ["acme", "other"], state: "silent" });
    expect(found({ agents: [house] })[0]).toMatchObject({ client: null, agent: { id: "a", name: "till a" } });
  });

  test("of an agent that is silent or forked nothing else is known to be so", () => {
    const said = { a: { sources: [source("pos", { reachable: false })] } };
    for (const state of ["silent", "forked"] as const)
      expect(
        found({ agents: [agent("a", { state, skewMs: 1e9, queue: { ...QUEUE, aside: 1 } })], said }),
      ).toHaveLength(1);
  });
});

describe("patience", () => {
  /** How long it is nobody's business, and how bad it is then; null: for good. */
  const patience: Readonly<Record<HeldReason, readonly [number | null, string]>> = {
    "still-changing": [HOUR, "attention"],
    locked: [15 * MINUTE, "attention"],
    unreadable: [0, "attention"],
    "source-unreachable": [null, ""],
    "root-changed": [0, "trouble"],
    "spool-full": [0, "trouble"],
    "disk-full": [0, "trouble"],
    paused: [null, ""],
    "outside-schedule": [null, ""],
    bandwidth: [HOUR, "attention"],
    "receiver-unreachable": [10 * MINUTE, "attention"],
    "receiver-refuses": [10 * MINUTE, "trouble"],
    "retry-after": [15 * MINUTE, "attention"],
    quota: [0, "trouble"],
    "client-suspended": [null, ""],
    "lease-elsewhere": [null, ""],
    "agent-stopped": [0, "trouble"],
    other: [HOUR, "attention"],
  };
  test.for(HELD_REASONS)("with %s", (reason) => {
    const after = (ms: number | undefined) =>
      words({ agents: [agent("a")], said: { a: { sources: [source("pos", holding(held(reason, ms)))] } } });
    const [limit, severity] = patience[reason];
    if (limit === null) {
      expect(after(1000 * HOUR)).toEqual([]);
      return;
    }
    if (limit > 0) expect(after(limit - 1)).toEqual([]);
    expect(after(limit)).toEqual([`${severity}: held a acme pos settling ${reason} ${ago(limit)}`]);
    // Nobody says since when: it may be long. Only what is slowed is on its way, as long as nothing says that it waits.
    const line = `${severity}: held a acme pos settling ${reason}`;
    expect(after(undefined)).toEqual(reason === "bandwidth" ? [] : [line]);
  });
  test("with its bandwidth, of which no agent says since when: as long as the oldest file waits for it", () => {
    const slowed = (ms: number) => {
      const queued = { files: 3, bytes: 9, oldestSealedAt: ago(ms) };
      const pipe = { queued, held: [{ stage: "queued", reason: "bandwidth", count: 3 }] };
      return words({
        agents: [agent("a")],
        said: { a: { sources: [source("pos", { pipe: pipe as unknown as Source["pipe"] })] } },
      });
    };
    expect(slowed(HOUR - 1)).toEqual([]);
    expect(slowed(HOUR)).toEqual([`attention: held a acme pos queued bandwidth ${ago(HOUR)}`]);
  });
});

describe("a client that is suspended", () => {
  const suspended = new Set(["acme"]);
  test("awaits nothing", () => {
    const said = { a: { sources: [source("pos", { reachable: false })] } };
    expect(found({ suspended, late: [late("pos")] })).toEqual([]);
    expect(found({ suspended, agents: [agent("a", { state: "silent" })], said })).toEqual([]);
    expect(found({ suspended, refusals: [refusal({ code: "client-suspended" })] })).toEqual([]);
  });

  test("is no excuse for another", () => {
    const house = agent("a", { clients: ["acme", "other"] });
    const sources = [
      source("pos", { reachable: false }),
      source("pos", { client: "other", reachable: false, lastScanAt: ago(HOUR) }),
    ];
    expect(words({ suspended, agents: [house], said: { a: { sources } } })).toEqual([
      `trouble: unreachable a other pos ${ago(HOUR)}`,
    ]);
    expect(words({ suspended, late: [late("pos"), late("pos", HOUR, "other")] })).toEqual([
      "trouble: late other pos",
    ]);
  });
});

describe("a feed that is late", () => {
  test("is explained by what its source says, which is then not shown besides", () => {
    const sources = [source("pos", { reachable: false, lastScanAt: ago(3 * HOUR) }), source("erp")];
    const items = found({ agents: [agent("a")], said: { a: { sources } }, late: [late("pos")] });
    expect(items).toEqual([
      {
        ...{ id: "late acme pos", severity: "trouble", client: "acme", source: "pos", since: ago(3 * HOUR) },
        clients: ["acme"],
        agent: { id: "a", name: "till a" },
        late: { usualBy: ago(HOUR), lastAt: ago(24 * HOUR) },
        cause: { kind: "source-unreachable", reason: "" },
      },
    ]);
  });

  test("is explained by its agent, which is shown as well", () => {
    const sources = [source("pos"), source("erp"), source("pos", { client: "stranger" })];
    for (const [state, pause] of [
      ["silent", null],
      ["forked", null],
      ["active", { since: ago(HOUR), by: "ada" }],
    ] as const) {
      const items = found({
        ...{ agents: [agent("a", { state, pause })], said: { a: { sources } } },
        late: [late("pos"), late("erp"), late("pos", HOUR, "stranger")],
      });
      const kind = state === "active" ? "agent-paused" : `agent-${state}`;
      const causes = new Map(items.map(({ id, cause }) => [id, cause.kind]));
      expect([causes.get("late acme pos"), causes.get("late acme erp")]).toEqual([kind, kind]);
      // It acts for that client no more.
      expect(causes.get("late stranger pos")).toBe("not-known");
      expect(items).toHaveLength(4);
    }
  });

  test("is explained by what is worst, and of that by what has lasted longest", () => {
    const because = (...all: Held[]) => {
      const said = { a: { sources: [source("pos", holding(...all))] } };
      return found({ agents: [agent("a")], said, late: [late("pos")] }).find(({ late }) => late !== null)
        ?.cause;
    };
    const slow = held("locked", 3 * HOUR);
    const over = held("quota", MINUTE);
    expect(because(slow, over)).toMatchObject({ reason: "quota" });
    expect(because(over, slow)).toMatchObject({ reason: "quota" });
    expect(because(held("unreadable", HOUR), slow)).toMatchObject({ reason: "locked" });
  });

  test("is not explained by an agent in whose place another brings it", () => {
    const said = { old: { sources: [source("pos"), source("erp")] }, new: { sources: [source("pos")] } };
    for (const given of [{ state: "silent" as const }, { pause: { since: ago(HOUR), by: "ada" } }])
      for (const order of [
        ["old", "new"],
        ["new", "old"],
      ] as const) {
        const agents = order.map((id) => agent(id, id === "old" ? given : {}));
        const items = found({ agents, said, late: [late("pos"), late("erp")] });
        const causes = new Map(items.map(({ id, cause }) => [id, cause.kind]));
        expect(causes.get("late acme pos")).toBe("not-known");
        expect(causes.get("late acme erp")).toBe("state" in given ? "agent-silent" : "agent-paused");
        expect(items.find(({ id }) => id === "late acme pos")?.agent?.id).toBe("new");
      }
  });

  test("is not explained by a clock or by what lies aside; its agent is named all the same", () => {
    const one = agent("a", { skewMs: 1e9, queue: { ...QUEUE, aside: 1 } });
    const said = { a: { sources: [source("pos")], problems: [] } };
    const items = found({ agents: [one], said, late: [late("pos")] });
    expect(items.find(({ id }) => id === "late acme pos")).toMatchObject({
      cause: { kind: "not-known" },
      agent: { id: "a" },
    });
    expect(items).toHaveLength(3);
  });
});

describe("of one client", () => {
  const house = agent("h", { clients: ["acme", "other", "gone"], state: "silent" });
  const held = (client: string) => ({ client, files: 2, bytes: 5, oldest: NOW - HOUR });
  const facts: Facts = {
    ...{ now: NOW, agents: [house], late: [late("pos"), late("pos", HOUR, "other")], refusals: [refusal()] },
    ...{ quarantine: [held("acme"), held("other")], webhooks: [webhook({ dead: 1, client: null })] },
    ...{ suspended: new Set(["gone"]), statusOf: () => null },
  };
  const ids = (client: string) =>
    attentionOfClient(facts, client).map(({ id }) => id.split(" ").slice(0, 2).join(" "));

  test("a house agent's trouble is each client's that it acts for", () => {
    expect(ids("acme").toSorted()).toEqual(["late acme", "quarantine", "refused acme", "silent h"]);
    expect(ids("other").toSorted()).toEqual(["late other", "quarantine", "silent h"]);
    expect(ids("gone")).toEqual([]);
    expect(ids("nobody")).toEqual([]);
  });

  test("only its own files are counted in quarantine; the site's are all in one", () => {
    const of = (
      items: readonly { readonly id: string; readonly client: string | null; readonly cause: object }[],
    ) => items.filter(({ id }) => id === "quarantine").map(({ client, cause }) => [client, cause]);
    const cause = (files: number, bytes: number) => ({ kind: "quarantine", files, bytes });
    expect(of(attentionOfClient(facts, "acme"))).toEqual([["acme", cause(2, 5)]]);
    expect(of(attentionOf(facts))).toEqual([[null, cause(4, 10)]]);
  });
});

test("what is worst comes first; of that what has lasted longest, by whatever clock; ids decide the rest", () => {
  const sources = [
    source("a", holding(held("locked", undefined))),
    source("b", holding({ ...held("locked", 0), since: "2026-11-20T12:30:00+02:00" })),
    source("c", holding({ ...held("locked", 0), since: "2026-11-20T11:00:00Z" })),
    source("d", holding(held("quota", MINUTE))),
  ];
  const given = { agents: [agent("x")], said: { x: { sources } } };
  const order = [
    "late acme z",
    "held x acme d",
    "held x acme b",
    "held x acme c",
    "held x acme a",
    "webhook w",
  ];
  const items = found({ ...given, late: [late("z", 3 * HOUR)], webhooks: [webhook({ dead: 1 })] });
  expect(items.map(({ id }) => id.replace(/ settling .*/, ""))).toEqual(order);
  const shuffled = { agents: [agent("x")], said: { x: { sources: sources.toReversed() } } };
  expect(found({ ...shuffled, late: [late("z", 3 * HOUR)], webhooks: [webhook({ dead: 1 })] })).toEqual(
    items,
  );
});
