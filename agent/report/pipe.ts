/** What waits at which stage, and why: made of what the agent knows at this moment. Told is only what is true; a file may wait for several reasons. Pure. */
import { displayPath } from "@tributary/shared/path.ts";
import type { ProblemCode } from "@tributary/shared/problems.ts";
import {
  HELD,
  type Held,
  type HeldReason,
  MOST_PIPES,
  type Pipe,
  type SourceState,
  type Stage,
} from "@tributary/shared/protocol.ts";
import type { SourceDelivered, SourceProblems, SourceWaiting } from "../queue/status.ts";
import { cut } from "./cut.ts";

/** What is on its way of one source. */
export interface Sending {
  readonly client: string;
  readonly source: string;
  readonly files: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

/** A reason that keeps everything here, or all of a client or source. `since` ms. */
export interface Hold {
  readonly reason: HeldReason;
  readonly since: number | undefined;
  /** undefined: of all. */
  readonly client?: string | undefined;
  readonly source?: string | undefined;
}

export interface PipeFacts {
  readonly states: readonly SourceState[];
  /** By `sourceKey`. */
  readonly sealing: ReadonlyMap<string, number>;
  readonly waiting: readonly SourceWaiting[];
  readonly uncaptured: readonly SourceProblems[];
  readonly postponed: readonly SourceProblems[];
  readonly sending: readonly Sending[];
  readonly delivered: { readonly day: string; readonly sources: readonly SourceDelivered[] };
  readonly holds: readonly Hold[];
  /** Bytes wait for their turn under limits.bandwidth. */
  readonly throttled: boolean;
}

export interface Pipes {
  readonly all: Pipe;
  /** Of the sources with anything in theirs, by `sourceKey`; where there are too many, of those with most. */
  readonly of: ReadonlyMap<string, Pipe>;
}

export const sourceKey = (client: string, source: string): string => `${client}/${source}`;

export function pipesOf(facts: PipeFacts): Pipes {
  const drafts = draftsOf(facts);
  const full = [...drafts].sort(([, a], [, b]) => weight(b) - weight(a));
  const of = new Map<string, Pipe>();
  let room = HELD.all - HELD.agent;
  for (const [key, draft] of full.slice(0, MOST_PIPES)) {
    if (weight(draft) === 0) break;
    const held = [...draft.held].sort((a, b) => b.count - a.count).slice(0, Math.min(HELD.source, room));
    room -= held.length;
    of.set(key, { ...draft, held });
  }
  return {
    all: sumOf(
      full.map(([, draft]) => draft),
      facts.delivered.day,
    ),
    of,
  };
}

function draftsOf(facts: PipeFacts): ReadonlyMap<string, Pipe> {
  const { states, sealing, delivered, throttled, holds } = facts;
  const waiting = byPlace(facts.waiting);
  const sending = byPlace(facts.sending);
  const ended = byPlace(delivered.sources);
  const known = new Map(states.map((one) => [sourceKey(one.client, one.name), one]));
  const problems = Map.groupBy(facts.uncaptured, (one) => sourceKey(one.client, one.source));
  const postponed = Map.groupBy(facts.postponed, (one) => sourceKey(one.client, one.source));
  const keys = new Set([...known.keys(), ...waiting.keys(), ...sending.keys(), ...ended.keys()]);
  return new Map(
    [...keys].map((key): [string, Pipe] => {
      const waits = waiting.get(key);
      const goes = sending.get(key);
      const queued = { files: waits?.files ?? 0, bytes: waits?.bytes ?? 0 };
      const under = goes?.files ?? 0;
      const place = key.split("/") as [string, string];
      const held = [
        ...(problems.get(key) ?? []).flatMap((one) => heldHere(one)),
        ...holds.filter((one) => isOf(one, place)).flatMap((one) => heldThere(one, queued.files)),
        ...(postponed.get(key) ?? []).map((one) => heldOf("queued", reasonOf(one.code), one)),
        ...(throttled ? slowed(queued.files, under) : []),
      ];
      const oldest = waits?.oldestSealedAt;
      const day = ended.get(key);
      return [
        key,
        {
          settling: known.get(key)?.settling ?? 0,
          sealing: sealing.get(key) ?? 0,
          queued: { ...queued, ...(oldest === undefined ? {} : { oldestSealedAt: oldest }) },
          sending: { files: under, bytes: goes?.bytes ?? 0, bytesPerSecond: goes?.bytesPerSecond ?? 0 },
          aside: waits?.aside ?? 0,
          delivered: { day: delivered.day, files: day?.files ?? 0, bytes: day?.bytes ?? 0 },
          held: merged(held),
        },
      ];
    }),
  );
}

function byPlace<T extends { readonly client: string; readonly source: string }>(
  rows: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [sourceKey(row.client, row.source), row]));
}

const isOf = ({ client, source }: Hold, [ofClient, ofSource]: readonly [string, string]): boolean =>
  (client === undefined || client === ofClient) && (source === undefined || source === ofSource);

/** What keeps files from being captured; what is delivered and only waits for its action waits for nothing here. */
function heldHere(problem: SourceProblems): readonly Held[] {
  if (problem.code === "after-failed") return [];
  return [heldOf("settling", CAPTURE[problem.code]?.(problem) ?? "other", problem)];
}

const CAPTURE: Partial<Record<ProblemCode, (problem: SourceProblems) => HeldReason>> = {
  "file-restless": () => "still-changing",
  "file-unreadable": ({ locked }) => (locked ? "locked" : "unreadable"),
  "folder-unreadable": () => "unreadable",
  "source-unreachable": () => "source-unreachable",
  "secret-missing": () => "source-unreachable",
  "root-changed": () => "root-changed",
  "spool-full": () => "spool-full",
  "disk-full": () => "disk-full",
};

function heldThere({ reason, since }: Hold, files: number): readonly Held[] {
  if (files === 0) return [];
  return [{ stage: "queued", reason, count: files, ...sinceOf(since) }];
}

function slowed(queued: number, sending: number): readonly Held[] {
  const stages: Held[] = [
    { stage: "sending", reason: "bandwidth", count: sending },
    { stage: "queued", reason: "bandwidth", count: Math.max(0, queued - sending) },
  ];
  return stages.filter(({ count }) => count > 0);
}

function heldOf(stage: Stage, reason: HeldReason, problem: SourceProblems): Held {
  const path = cut(displayPath(problem.path));
  return {
    ...{ stage, reason, count: problem.count },
    ...sinceOf(problem.since),
    ...(path === "" ? {} : { path }),
  };
}

const sinceOf = (ms: number | undefined) => (ms === undefined ? {} : { since: new Date(ms).toISOString() });

const QUEUED: Partial<Record<ProblemCode, HeldReason>> = {
  "receiver-unreachable": "receiver-unreachable",
  "receiver-untrusted": "receiver-unreachable",
  "limit-requests": "retry-after",
  "limit-concurrent": "retry-after",
  "quota-day": "quota",
  "quota-file": "quota",
  "quota-stored": "quota",
  "client-suspended": "client-suspended",
  "source-unreachable": "source-unreachable",
  "root-changed": "root-changed",
  "lease-lost": "lease-elsewhere",
  "agent-forked": "agent-stopped",
  "agent-revoked": "agent-stopped",
  unauthenticated: "agent-stopped",
  "file-unreadable": "unreadable",
  "disk-full": "disk-full",
  "receipt-invalid": "other",
  "config-invalid": "other",
};

/** Why what is sealed does not leave, in the words of the pipe. What is no problem of this host is the receiver's answer. */
export function reasonOf(code: ProblemCode): HeldReason {
  return QUEUED[code] ?? "receiver-refuses";
}

/** One line for each stage and reason. */
function merged(all: readonly Held[]): Held[] {
  const found = new Map<string, Held>();
  for (const one of all) {
    const key = `${one.stage} ${one.reason}`;
    const before = found.get(key);
    const since = earlier(before?.since, one.since);
    const path = before?.path ?? one.path;
    found.set(key, {
      ...{ stage: one.stage, reason: one.reason, count: (before?.count ?? 0) + one.count },
      ...(since === undefined ? {} : { since }),
      ...(path === undefined ? {} : { path }),
    });
  }
  return [...found.values()];
}

function earlier(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a < b ? a : b;
}

function sumOf(pipes: readonly Pipe[], day: string): Pipe {
  const sum = (of: (pipe: Pipe) => number): number => pipes.reduce((total, pipe) => total + of(pipe), 0);
  const oldest = pipes.map((pipe) => pipe.queued.oldestSealedAt).reduce(earlier, undefined);
  return {
    settling: sum((pipe) => pipe.settling),
    sealing: sum((pipe) => pipe.sealing),
    queued: {
      files: sum((pipe) => pipe.queued.files),
      bytes: sum((pipe) => pipe.queued.bytes),
      ...(oldest === undefined ? {} : { oldestSealedAt: oldest }),
    },
    sending: {
      files: sum((pipe) => pipe.sending.files),
      bytes: sum((pipe) => pipe.sending.bytes),
      bytesPerSecond: sum((pipe) => pipe.sending.bytesPerSecond),
    },
    aside: sum((pipe) => pipe.aside),
    delivered: {
      day,
      files: sum((pipe) => pipe.delivered.files),
      bytes: sum((pipe) => pipe.delivered.bytes),
    },
    held: merged(pipes.flatMap((pipe) => pipe.held))
      .sort((a, b) => b.count - a.count)
      .slice(0, HELD.agent),
  };
}

/** 0: nothing is in it, and nothing came out of it today. */
function weight({ settling, sealing, queued, sending, aside, delivered, held }: Pipe): number {
  const waits = settling + sealing + queued.files + sending.files + aside + held.length;
  return waits > 0 ? waits : delivered.files > 0 ? 0.5 : 0;
}
