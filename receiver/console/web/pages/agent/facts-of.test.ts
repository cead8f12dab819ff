import type { Held, Pipe } from "@tributary/shared/protocol.ts";
import { expect, test } from "vitest";
import { type Agent, barrier, countAt, heldAt, holdsUp, isOfToday, widthOf } from "./facts-of.ts";

const PIPE: Pipe = {
  ...{ settling: 12, sealing: 1, aside: 0, queued: { files: 1204, bytes: 3 }, held: [] },
  ...{
    sending: { files: 4, bytes: 1, bytesPerSecond: 8 },
    delivered: { files: 9, bytes: 9, day: "2026-06-03" },
  },
};
const held = (reason: Held["reason"], count: number, stage: Held["stage"] = "queued"): Held => ({
  ...{ stage, reason, count },
});

function agentOf(
  all: readonly Held[],
  sources: Readonly<Record<string, readonly Held[]>>,
  more: object = {},
): Agent {
  return {
    status: {
      ...{ sources: [], pipe: { ...PIPE, held: all } },
      ...more,
      ...{
        sources: Object.entries(sources).map(([name, of]) => ({
          ...{ client: "acme", name, pipe: { ...PIPE, held: of } },
        })),
      },
    },
  } as unknown as Agent;
}

test("counts of each stage", () => {
  expect(
    (["settling", "sealing", "queued", "sending"] as const).map((stage) => countAt(PIPE, stage)),
  ).toEqual([...[12, 1, 1204, 4]]);
});

test("reasons are told by source; of the agent only those that no source tells", () => {
  const agent = agentOf([held("quota", 9), held("bandwidth", 5)], {
    pos: [held("quota", 2), held("locked", 3, "settling")],
    erp: [held("quota", 7)],
  });
  expect(
    heldAt(agent, "queued").map(({ source, held: { reason, count } }) => [source, reason, count]),
  ).toEqual([
    ["erp", "quota", 7],
    ["", "bandwidth", 5],
    ["pos", "quota", 2],
  ]);
  expect(heldAt({ ...agent, status: null }, "queued")).toEqual([]);
});

test("what somebody wished holds nothing up", () => {
  const of = (...reasons: readonly Held["reason"][]) =>
    holdsUp(reasons.map((reason) => ({ client: "", source: "", held: held(reason, 1) })));
  expect([of(), of("paused", "outside-schedule"), of("paused", "quota")]).toEqual(["no", "wished", "held"]);
});

test("a stage that holds up is wider, within bounds", () => {
  expect(widthOf(1e9, false)).toBe(1);
  expect(widthOf(0, true)).toBeGreaterThan(1);
  expect(widthOf(1e12, true)).toBe(4);
});

test("what an agent cannot be asked for", () => {
  const told = (more: object) => {
    const agent = agentOf([], {}, more);
    return (["scan", "diagnostics", "pause"] as const).map((what) => barrier(agent, what));
  };
  expect(told({})).toEqual([undefined, "unknown", "unknown"]);
  expect(told({ knows: ["scan", "diagnostics", "pause"] })).toEqual([undefined, undefined, undefined]);
  expect(told({ knows: ["scan", "diagnostics", "pause"], denies: ["pause"] })).toEqual([
    ...[undefined, undefined, "denied"],
  ]);
  expect(barrier({ ...agentOf([], {}), status: null }, "pause")).toBeUndefined();
});

test("what a silent agent delivered is of the day on which it last spoke", () => {
  const now = Date.parse("2026-06-04T00:10:00Z");
  expect(isOfToday("2026-06-04", now)).toBe(true);
  expect(isOfToday("2026-06-03", now)).toBe(false);
});
