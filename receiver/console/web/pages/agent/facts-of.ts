/** What the page says of an agent, out of what it said itself. Pure. */
import type { Held, Pipe, Stage } from "@tributary/shared/protocol.ts";
import type { Answers } from "../../../answers.ts";

export type Agent = Answers["agents.get"];
export type AgentSource = NonNullable<Agent["status"]>["sources"][number];

export const STAGES = ["settling", "sealing", "queued", "sending"] as const satisfies readonly Stage[];

/** Reasons for which nobody has to do anything: they are how it is wished. */
const WISHED: readonly Held["reason"][] = [
  "outside-schedule",
  "lease-elsewhere",
  "paused",
  "client-suspended",
];

/** Files at a stage. */
export function countAt(pipe: Pipe, stage: Stage): number {
  const { [stage]: at } = pipe;
  return typeof at === "number" ? at : at.files;
}

export interface StageHeld {
  readonly client: string;
  readonly source: string;
  readonly held: Held;
}

/** Why things wait at a stage, of each source that tells; where none does, of the agent as a whole (source empty). */
export function heldAt(agent: Agent, stage: Stage): readonly StageHeld[] {
  const sources = agent.status?.sources ?? [];
  const of = sources.flatMap(({ client, name, pipe }) =>
    (pipe?.held ?? []).map((held) => ({ client, source: name, held })),
  );
  const all = (agent.status?.pipe?.held ?? []).map((held) => ({ client: "", source: "", held }));
  const [own, whole] = [of, all].map((list) => list.filter(({ held }) => held.stage === stage));
  const told = new Set(own?.map(({ held }) => held.reason));
  return [...(own ?? []), ...(whole ?? []).filter(({ held }) => !told.has(held.reason))].toSorted(
    (a, b) => b.held.count - a.held.count,
  );
}

/** normal: what is here is on its way, or waits because somebody wishes so. */
export function holdsUp(held: readonly StageHeld[]): "held" | "wished" | "no" {
  if (held.length === 0) return "no";
  return held.every(({ held: { reason } }) => WISHED.includes(reason)) ? "wished" : "held";
}

/** Of the picture: so many times as wide as an empty stage. */
export function widthOf(files: number, isHeld: boolean): number {
  return 1 + (isHeld ? Math.min(3, 0.5 + Math.log10(Math.max(1, files)) * 0.6) : 0);
}

/** Why the centre cannot ask this of it; undefined: it can. `knows` left out: an agent of before, which obeys scans alone. */
export function barrier(
  agent: Agent,
  what: "scan" | "diagnostics" | "pause",
): "unknown" | "denied" | undefined {
  const { status } = agent;
  if (status === null) return undefined;
  if (status.denies?.includes(what) === true) return "denied";
  if (status.knows === undefined) return what === "scan" ? undefined : "unknown";
  return status.knows.includes(what) ? undefined : "unknown";
}

/** Whether what an agent said of a UTC day is of this one: of one that is silent it is of an earlier day. */
export function isOfToday(utcDay: string, now: number): boolean {
  return new Date(now).toISOString().startsWith(utcDay);
}
