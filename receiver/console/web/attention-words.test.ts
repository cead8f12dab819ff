import { HELD_REASONS } from "@tributary/shared/protocol.ts";
import { describe, expect, test } from "vitest";
import type { Cause } from "../../attention/attention.ts";
import type { NeedsSomebody } from "../answers.ts";
import { attentionWords, clockWords, heldWords, nextOfCode } from "./attention-words.ts";

const NOW = Date.parse("2026-06-03T08:12:00Z");
const PLACE = { locale: "en-GB", timeZone: "UTC" };

const about = (cause: Cause, more: Partial<NeedsSomebody> = {}): NeedsSomebody => ({
  ...{ id: "x", severity: "trouble", client: "acme", source: "pos-daily", late: null },
  since: "2026-06-03T05:12:00Z",
  agent: { id: "a1", name: "hq-01" },
  cause,
  ...more,
});
const say = (cause: Cause, more: Partial<NeedsSomebody> = {}) =>
  attentionWords(about(cause, more), NOW, PLACE);

const late = { usualBy: "2026-06-03T06:00:00Z", lastAt: "2026-06-02T05:58:00Z" };
const unreachable = {
  kind: "source-unreachable",
  reason: "\\\\srv2\\export: network path not found",
} as const;
const silent = { kind: "agent-silent", lastSeenAt: "2026-06-02T18:40:00Z", waiting: 14 } as const;

describe("what it says", () => {
  const whole = { source: null } as const;
  test.each<[string, Cause, Partial<NeedsSomebody>, string, string]>([
    [
      "late with its cause",
      unreachable,
      { late },
      "acme / pos-daily",
      "2 h late: the agent hq-01 cannot reach it since 05:12: \\\\srv2\\export: network path not found",
    ],
    [
      "missing for days",
      silent,
      { late: { ...late, usualBy: "2026-06-01T06:00:00Z" }, since: "2026-06-02T18:40:00Z" },
      "acme / pos-daily",
      "Missing since 1 Jun, 06:00: the agent hq-01 is silent since yesterday 18:40; 14 files wait on it",
    ],
    [
      "late, and nobody knows why",
      { kind: "not-known" },
      { late, since: null, agent: null },
      "acme / pos-daily",
      "2 h late: nothing came, and nobody has said why",
    ],
    [
      "unreachable, and no reason is told",
      { kind: "source-unreachable", reason: "" },
      { since: null },
      "acme / pos-daily",
      "The agent hq-01 cannot reach it",
    ],
    ["silent", { ...silent, waiting: 0 }, whole, "acme / hq-01", "The agent hq-01 is silent since 05:12"],
    [
      "never heard of",
      { ...silent, lastSeenAt: null, waiting: 1 },
      whole,
      "acme / hq-01",
      "The agent hq-01 has not said a word since 05:12; 1 file waits on it",
    ],
    [
      "of many clients",
      { kind: "agent-forked", hosts: ["old", "new"] },
      { client: null, source: null },
      "hq-01",
      "Two hosts act as the agent hq-01 (old, new), so both were stopped since 05:12",
    ],
    [
      "paused",
      { kind: "agent-paused", by: "ada@example.com", waiting: 1204 },
      whole,
      "acme / hq-01",
      "The agent hq-01 is paused by ada@example.com since 05:12; 1,204 files wait on it",
    ],
    [
      "a clock behind",
      { kind: "clock", skewMs: 7 * 60_000 },
      { ...whole, since: null },
      "acme / hq-01",
      "The clock of the agent hq-01 is 7 min behind",
    ],
    [
      "a clock ahead",
      { kind: "clock", skewMs: -3 * 3_600_000 },
      { ...whole, since: null },
      "acme / hq-01",
      "The clock of the agent hq-01 is 3 h ahead",
    ],
    [
      "held",
      { kind: "held", stage: "settling", reason: "locked", count: 3, path: "day/a.csv" },
      {},
      "acme / pos-daily",
      "3 files locked by another program since 05:12, such as day/a.csv",
    ],
    [
      "set aside",
      { kind: "set-aside", count: 1, code: "quota-file", detail: "a.iso is larger than 1 GB" },
      whole,
      "acme / hq-01",
      "1 file of the agent hq-01 is set aside since 05:12: a.iso is larger than 1 GB",
    ],
    [
      "set aside, and no more is told",
      { kind: "set-aside", count: 12, code: null, detail: null },
      { ...whole, since: null },
      "acme / hq-01",
      "12 files of the agent hq-01 are set aside",
    ],
    [
      "refused",
      {
        ...{ kind: "refused", bearer: "k1", name: "shop", code: "quota-day", detail: "20 GB are used up" },
        ...{ count: 120, requestId: "r1" },
      },
      { source: null, agent: null },
      "acme",
      "“shop” was refused 120 times since 05:12: 20 GB are used up",
    ],
    [
      "refused once, by nobody's name",
      {
        ...{ kind: "refused", bearer: "k1", name: null, code: "forbidden", detail: "" },
        ...{ count: 1, requestId: null },
      },
      { client: null, source: null, agent: null },
      "this site",
      "“k1” was refused once since 05:12",
    ],
    [
      "quarantine",
      { kind: "quarantine", files: 3, bytes: 2_400_000 },
      { client: null, source: null, agent: null },
      "quarantine",
      "3 files (2.4 MB) are held back by the inspection since 05:12",
    ],
    ...(
      [
        ["failing", 2, "503", "Cannot be told of arrivals since 05:12; 2 entries were told in vain: 503"],
        ["active", 1, null, "1 entry was told in vain"],
        ["gone", 0, "410", "Its receiver said that it is gone; it is told nothing more: 410"],
        ["full", 0, null, "Too many dead letters; it is told nothing more until they are sent again"],
        ["lost", 0, null, "Its place in the ledger is lost; it is told nothing more until it is told again"],
        ["odd", 0, null, "Is odd"],
      ] as const
    ).map(([state, dead, failure, what]): [string, Cause, Partial<NeedsSomebody>, string, string] => [
      `a webhook that is ${state}`,
      { kind: "webhook", webhook: "w1", name: "erp", state, dead, failure },
      { source: null, agent: null },
      "webhook erp",
      what,
    ]),
  ])("%s", (_, cause, more, where, what) => {
    const said = say(cause, more);
    expect({ where: said.where, what: said.what }).toEqual({ where, what });
    expect(said.next).toMatch(/\.$/);
  });

  test.each(HELD_REASONS)("held because of %s", (reason) => {
    const said = say({ kind: "held", stage: "queued", reason, count: 2, path: null });
    expect(said.what).toMatch(/ since 05:12$/);
    expect(said.next).toMatch(/\.$/);
    expect(heldWords(reason, 1, "a.csv")).toMatch(/, such as a\.csv$/);
  });
});

describe("what the centre can do about it", () => {
  const scan = { kind: "scan", agent: "a1", source: "pos-daily" } as const;
  const toAgent = { kind: "open", href: "/agents/a1", to: "agent" } as const;
  test.each<[Cause, Partial<NeedsSomebody>, readonly unknown[]]>([
    [unreachable, { late }, [scan]],
    [{ kind: "not-known" }, { late }, [scan]],
    [{ kind: "not-known" }, { late, agent: null }, []],
    [silent, {}, [toAgent]],
    [{ kind: "agent-forked", hosts: [] }, {}, [toAgent]],
    [{ kind: "agent-paused", by: "x", waiting: 0 }, {}, [{ kind: "resume", agent: "a1" }]],
    [{ kind: "held", stage: "settling", reason: "locked", count: 1, path: null }, {}, [scan]],
    [
      { kind: "held", stage: "queued", reason: "paused", count: 1, path: null },
      {},
      [{ kind: "resume", agent: "a1" }],
    ],
    [
      { kind: "held", stage: "queued", reason: "quota", count: 1, path: null },
      {},
      [{ kind: "open", href: "/clients/acme/settings", to: "settings" }, toAgent],
    ],
    [
      {
        ...{ kind: "refused", bearer: "k1", name: null, code: "digest-mismatch", detail: "" },
        ...{ count: 1, requestId: "r 1" },
      },
      { source: null, agent: null },
      [{ kind: "open", href: "/log?requestId=r%201", to: "log" }],
    ],
    [
      { kind: "quarantine", files: 1, bytes: 1 },
      { client: null },
      [{ kind: "open", href: "/quarantine", to: "quarantine" }],
    ],
    [
      { kind: "webhook", webhook: "w", name: null, state: "failing", dead: 0, failure: null },
      {},
      [{ kind: "open", href: "/webhooks", to: "webhooks" }],
    ],
  ])("%o", (cause, more, acts) => {
    expect(say(cause, more).acts).toEqual(acts);
  });
});

test("an instant is said as briefly as the day allows, in the zone of who looks", () => {
  expect(clockWords("2026-06-03T05:12:00Z", NOW, PLACE)).toBe("05:12");
  expect(clockWords("2026-06-02T18:40:00Z", NOW, PLACE)).toBe("yesterday 18:40");
  expect(clockWords("2026-05-30T18:40:00Z", NOW, PLACE)).toBe("30 May, 18:40");
  expect(clockWords("2026-06-02T18:40:00Z", NOW, { locale: "en-GB", timeZone: "Asia/Tokyo" })).toBe("03:40");
});

test("a code that is not known has words, too", () => {
  expect(nextOfCode("quota-day")).toContain("UTC day");
  expect(nextOfCode("of-tomorrow")).toBe(nextOfCode(null));
});

test("names of files turn no sentence around, and hide nothing", () => {
  const path = "day/\u202efdp.exe";
  const { what } = say({ kind: "held", stage: "settling", reason: "locked", count: 1, path });
  expect(what).toBe("1 file locked by another program since 05:12, such as day/‹U+202E›fdp.exe");
  expect(heldWords("locked", 1, path)).not.toContain("\u202e");
  const detail = `cannot read ${path}`;
  expect(say({ kind: "set-aside", count: 1, code: "unreadable", detail }).what).not.toContain("\u202e");
});
