/**
 * What needs somebody's attention, worst first, with its cause as far as it is known. There are no rules of what has to
 * arrive here: a feed is late against what is usual for it. Everything is decided from facts that are handed in.
 */
import type { HeldReason, Stage } from "@tributary/shared/protocol.ts";
import type { AgentSummary } from "../fleet/view.ts";
import type { AgentStatus } from "../identity/agents.ts";

/** Why something does not arrive, or may soon not. Sizes in bytes, times RFC 3339. */
export type Cause =
  | { readonly kind: "agent-silent"; readonly lastSeenAt: string | null; readonly waiting: number }
  | { readonly kind: "agent-forked"; readonly hosts: readonly string[] }
  | { readonly kind: "agent-paused"; readonly by: string; readonly waiting: number }
  | { readonly kind: "clock"; readonly skewMs: number }
  | { readonly kind: "source-unreachable"; readonly reason: string }
  | {
      readonly kind: "held";
      readonly stage: Stage;
      readonly reason: HeldReason;
      readonly count: number;
      readonly path: string | null;
    }
  | {
      readonly kind: "set-aside";
      readonly count: number;
      readonly code: string | null;
      readonly detail: string | null;
    }
  | {
      readonly kind: "refused";
      readonly bearer: string;
      readonly name: string | null;
      readonly code: string;
      readonly detail: string;
      readonly count: number;
      readonly requestId: string | null;
    }
  | { readonly kind: "quarantine"; readonly files: number; readonly bytes: number }
  | {
      readonly kind: "webhook";
      readonly webhook: string;
      readonly name: string | null;
      readonly state: string;
      readonly dead: number;
      readonly failure: string | null;
    }
  /** Late, and nobody has said why. */
  | { readonly kind: "not-known" };

export type Severity = "trouble" | "attention";

export interface Attention {
  /** Stays the same while it is the same. */
  readonly id: string;
  readonly severity: Severity;
  /** Null: it is the site's, or of several. */
  readonly client: string | null;
  /** All whose data it concerns. */
  readonly clients: readonly string[];
  readonly source: string | null;
  /** Since when the cause is there, as far as somebody said it. */
  readonly since: string | null;
  readonly agent: { readonly id: string; readonly name: string } | null;
  /** It delivered usually by then; null: nothing is late by it. */
  readonly late: { readonly usualBy: string; readonly lastAt: string | null } | null;
  readonly cause: Cause;
}

export interface Facts {
  readonly now: number;
  readonly agents: readonly AgentSummary[];
  readonly statusOf: (id: string) => AgentStatus | null;
  readonly late: readonly {
    readonly client: string;
    readonly source: string;
    readonly usualBy: number;
    readonly lastAt: number | undefined;
  }[];
  readonly refusals: readonly {
    readonly client: string;
    readonly bearer: string;
    readonly name: string | null;
    readonly code: string;
    readonly count: number;
    readonly firstAt: string;
    readonly lastAt: string;
    readonly lastDetail: string;
    readonly lastRequestId: string | null;
  }[];
  readonly quarantine: readonly {
    readonly client: string;
    readonly files: number;
    readonly bytes: number;
    readonly oldest: number | undefined;
  }[];
  readonly webhooks: readonly {
    readonly id: string;
    readonly name: string | null;
    readonly client: string | null;
    readonly state: string;
    readonly dead: number;
    readonly failingSince: string | null;
    readonly lastFailure: string | null;
  }[];
  /** Nothing is awaited of them. */
  readonly suspended: ReadonlySet<string>;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A refusal that did not come again has passed. */
const REFUSED_WITHIN = HOUR;
const SKEW_MS = 5 * MINUTE;

/** How long it is nobody's business that something waits for this reason; what is not here never becomes that by itself. */
const PATIENCE: Readonly<Partial<Record<HeldReason, number>>> = {
  "still-changing": HOUR,
  locked: 15 * MINUTE,
  unreadable: 0,
  "root-changed": 0,
  "spool-full": 0,
  "disk-full": 0,
  bandwidth: HOUR,
  "receiver-unreachable": 10 * MINUTE,
  "receiver-refuses": 10 * MINUTE,
  "retry-after": 15 * MINUTE,
  quota: 0,
  "agent-stopped": 0,
  other: HOUR,
};

const HARD: readonly HeldReason[] = [
  "root-changed",
  "spool-full",
  "disk-full",
  "quota",
  "receiver-refuses",
  "agent-stopped",
];

/** Of files that are not captured, or delivered already: nothing was set aside for these. */
const BEFORE_SEALING: readonly string[] = [
  "source-unreachable",
  "secret-missing",
  "root-changed",
  "folder-unreadable",
  "file-unreadable",
  "file-restless",
  "spool-full",
  "disk-full",
  "after-failed",
];

/** Of one client alone, worst first. */
export function attentionOfClient(facts: Facts, client: string): readonly Attention[] {
  const quarantine = facts.quarantine.filter((one) => one.client === client);
  return attentionOf({ ...facts, quarantine }).filter(({ clients }) => clients.includes(client));
}

/** Worst first; of what is equally bad, what has lasted longest. */
export function attentionOf(facts: Facts): readonly Attention[] {
  const bringers = bringersOf(facts);
  const reasons = new Map<string, Attention>();
  const all: Attention[] = [];
  for (const agent of facts.agents)
    for (const found of ofAgent(agent, facts)) {
      all.push(found);
      for (const key of feedsOf(found, facts.statusOf(agent.id), agent)) {
        // Another agent brings this feed: what keeps this one is no reason, and what keeps that one is said of its source.
        if (found.source === null && bringers.get(key)?.some(({ id }) => id !== agent.id)) continue;
        const known = reasons.get(key);
        if (known === undefined || worstFirst(found, known) < 0) reasons.set(key, found);
      }
    }
  const explained = new Set<string>();
  for (const { client, source, usualBy, lastAt } of facts.late) {
    if (facts.suspended.has(client)) continue;
    const because = reasons.get(keyOf(client, source));
    if (because !== undefined && because.source !== null) explained.add(because.id);
    all.push({
      id: `late ${client} ${source}`,
      severity: "trouble",
      ...{ client, clients: [client], source },
      since: because?.since ?? null,
      // Where nobody has said why, it is the one to ask.
      agent: because?.agent ?? bringers.get(keyOf(client, source))?.at(-1) ?? null,
      late: { usualBy: instant(usualBy), lastAt: lastAt === undefined ? null : instant(lastAt) },
      cause: because?.cause ?? { kind: "not-known" },
    });
  }
  all.push(...ofRefusals(facts), ...ofQuarantine(facts), ...ofWebhooks(facts));
  return all.filter(({ id }) => !explained.has(id)).toSorted(worstFirst);
}

/** Who brings each feed now. */
function bringersOf({ agents, statusOf }: Facts): ReadonlyMap<string, NonNullable<Attention["agent"]>[]> {
  const bringers = new Map<string, NonNullable<Attention["agent"]>[]>();
  for (const { id, name, state, pause } of agents) {
    if (state !== "active") continue;
    for (const source of statusOf(id)?.sources ?? []) {
      const key = keyOf(source.client, source.name);
      const others = bringers.get(key) ?? [];
      if (pause === null || others.length === 0) bringers.set(key, [...others, { id, name }]);
    }
  }
  return bringers;
}

function* ofAgent(agent: AgentSummary, { now, statusOf, suspended }: Facts): Generator<Attention> {
  const { id, name, clients, state } = agent;
  const concerned = clients.filter((client) => !suspended.has(client));
  if (state === "revoked" || (clients.length > 0 && concerned.length === 0)) return;
  const status = statusOf(id);
  const base = {
    client: clients.length === 1 ? (clients[0] ?? null) : null,
    clients: concerned,
    source: null,
    late: null,
    agent: { id, name },
  };
  const waiting = agent.queue.files;
  if (state === "forked") {
    const hosts = status?.fork?.hosts ?? [agent.host];
    const since = status?.fork?.foundAt ?? null;
    yield { ...base, id: `forked ${id}`, severity: "trouble", since, cause: { kind: "agent-forked", hosts } };
    return;
  }
  if (state === "silent") {
    const { lastSeenAt } = agent;
    const cause = { kind: "agent-silent", lastSeenAt, waiting } as const;
    // What it said last is no longer known to be so.
    yield { ...base, id: `silent ${id}`, severity: "trouble", since: lastSeenAt ?? agent.createdAt, cause };
    return;
  }
  if (agent.pause !== null) {
    const { since, by } = agent.pause;
    const cause = { kind: "agent-paused", by, waiting } as const;
    yield { ...base, id: `paused ${id}`, severity: "attention", since, cause };
  }
  if (Math.abs(agent.skewMs) > SKEW_MS)
    yield {
      ...base,
      id: `clock ${id}`,
      severity: "attention",
      since: null,
      cause: { kind: "clock", skewMs: agent.skewMs },
    };
  for (const source of status?.sources ?? []) {
    if (suspended.has(source.client)) continue;
    const of = { ...base, client: source.client, clients: [source.client], source: source.name };
    const key = `${id} ${source.client} ${source.name}`;
    if (!source.reachable) {
      const held = source.pipe?.held.find(({ reason }) => reason === "source-unreachable");
      const since = held?.since ?? source.lastScanAt ?? null;
      const cause = { kind: "source-unreachable", reason: source.reason ?? "" } as const;
      yield { ...of, id: `unreachable ${key}`, severity: "trouble", since, cause };
      continue;
    }
    for (const held of source.pipe?.held ?? []) {
      const patience = PATIENCE[held.reason];
      const since = held.since ?? waitsSince(held.reason, source) ?? null;
      if (patience === undefined || (since !== null && now - Date.parse(since) < patience)) continue;
      // What is only slow, and of which nothing waits, is on its way.
      if (since === null && held.reason === "bandwidth") continue;
      const { stage, reason, count, path = null } = held;
      const severity = HARD.includes(reason) ? "trouble" : "attention";
      const cause = { kind: "held", stage, reason, count, path } as const;
      yield { ...of, id: `held ${key} ${stage} ${reason}`, severity, since, cause };
    }
  }
  if (agent.queue.aside > 0) {
    const first = status?.problems.find(({ code }) => !BEFORE_SEALING.includes(code));
    yield {
      ...base,
      id: `aside ${id}`,
      severity: "attention",
      since: first?.since ?? null,
      cause: {
        ...{ kind: "set-aside", count: agent.queue.aside },
        ...{ code: first?.code ?? null, detail: first?.detail ?? null },
      },
    };
  }
}

/** An agent that is slowed by its bandwidth does not say since when: what waits for it says so. */
function waitsSince(reason: HeldReason, { pipe }: AgentStatus["sources"][number]): string | undefined {
  return reason === "bandwidth" ? pipe?.queued?.oldestSealedAt : undefined;
}

const keyOf = (client: string, source: string): string => `${client}/${source}`;

/** Whose lateness it explains: that of its source, or of all that its agent brings. */
function feedsOf(found: Attention, status: AgentStatus | null, { clients }: AgentSummary): readonly string[] {
  if (found.source !== null && found.client !== null) return [keyOf(found.client, found.source)];
  if (!["agent-silent", "agent-forked", "agent-paused"].includes(found.cause.kind)) return [];
  return (status?.sources ?? [])
    .filter((source) => clients.includes(source.client))
    .map((source) => keyOf(source.client, source.name));
}

function* ofRefusals({ refusals, now, suspended }: Facts): Generator<Attention> {
  for (const { client, bearer, name, code, count, firstAt, lastAt, lastDetail, lastRequestId } of refusals) {
    // What is kept in quarantine stands there already; and whose client is suspended no more has been told so before.
    if (code === "quarantined" || code === "client-suspended") continue;
    // A client that is suspended is refused whatever it sends: that is what was wished.
    if (suspended.has(client) || now - Date.parse(lastAt) > REFUSED_WITHIN) continue;
    yield {
      id: `refused ${client} ${bearer} ${code}`,
      severity: "attention",
      ...{
        ...ofClient(client === "" ? null : client),
        source: null,
        since: firstAt,
        agent: null,
        late: null,
      },
      cause: { kind: "refused", bearer, name, code, detail: lastDetail, count, requestId: lastRequestId },
    };
  }
}

function* ofQuarantine({ quarantine }: Facts): Generator<Attention> {
  if (quarantine.length === 0) return;
  const [only, ...others] = quarantine.map(({ client }) => client);
  const oldest = quarantine.reduce((first, one) => Math.min(first, one.oldest ?? first), Number.MAX_VALUE);
  yield {
    id: "quarantine",
    severity: "attention",
    ...{
      client: others.length === 0 ? (only ?? null) : null,
      clients: quarantine.map(({ client }) => client),
    },
    ...{ source: null, agent: null, late: null },
    since: oldest === Number.MAX_VALUE ? null : instant(oldest),
    cause: {
      kind: "quarantine",
      files: quarantine.reduce((sum, { files }) => sum + files, 0),
      bytes: quarantine.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  };
}

function* ofWebhooks({ webhooks }: Facts): Generator<Attention> {
  for (const { id, name, client, state, dead, failingSince, lastFailure } of webhooks) {
    if (state === "revoked" || (["active", "suspended"].includes(state) && dead === 0)) continue;
    yield {
      id: `webhook ${id}`,
      severity: "attention",
      ...{ ...ofClient(client), source: null, agent: null, late: null, since: failingSince },
      cause: { kind: "webhook", webhook: id, name, state, dead, failure: lastFailure },
    };
  }
}

const ofClient = (client: string | null): Pick<Attention, "client" | "clients"> => ({
  client,
  clients: client === null ? [] : [client],
});

function worstFirst(a: Attention, b: Attention): number {
  if (a.severity !== b.severity) return a.severity === "trouble" ? -1 : 1;
  const [left, right] = [begunAt(a), begunAt(b)];
  if (left === right) return a.id < b.id ? -1 : 1;
  return left - right;
}

/** ms; agents may say it with an offset of their own. What nobody knows the begin of comes last. */
function begunAt({ late, since }: Attention): number {
  const text = late?.usualBy ?? since;
  return text === null ? Number.MAX_VALUE : Date.parse(text);
}

const instant = (ms: number): string => new Date(ms).toISOString();
