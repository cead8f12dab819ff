/** Between this agent and the people who look after it from afar: what they may ask of it, and what it tells of its pipe. */
import { type Command, DIAGNOSTICS, ROUTE } from "@tributary/shared/protocol.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import type { AgentSettings } from "./config.ts";
import type { Report } from "./facts.ts";
import type { ReceiverClock } from "./identity/clock.ts";
import type { Identity } from "./identity/identity.ts";
import type { Receiver } from "./identity/receiver.ts";
import type { Pacing } from "./pace/bandwidth.ts";
import type { QueueStatus } from "./queue/status.ts";
import type { Log } from "./report/log.ts";
import { Orders } from "./report/orders.ts";
import { type Hold, type Pipes, pipesOf, reasonOf } from "./report/pipe.ts";
import type { Tally } from "./report/tally.ts";
import type { Today, Traffic } from "./report/traffic.ts";
import type { Secrets } from "./secret/secrets.ts";
import type { Sources } from "./sources.ts";
import type { Dispatcher } from "./upload/dispatch.ts";
import type { InTurn } from "./upload/turns.ts";

export interface CentreParts {
  readonly data: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets: Pick<Secrets, "read">;
  readonly redactor: Redactor;
  readonly log: Pick<Log, "last">;
  readonly report: Report;
  readonly receiver: Pick<Receiver, "call">;
  readonly clock: Pick<ReceiverClock, "skewMs">;
  readonly stop: AbortSignal;
  /** ms since 1970. */
  readonly now: () => number;
  readonly queue: QueueStatus;
  readonly sources: Pick<Sources, "states" | "sealing" | "scan">;
  readonly dispatcher: Pick<Dispatcher, "held">;
  readonly turns: Pick<InTurn, "slowed">;
  readonly traffic: Pick<Traffic, "sending">;
  readonly today: Pick<Today, "all">;
  readonly bandwidth: Pick<Pacing, "waiting">;
  /** Bytes per second that may leave now; 0 none, undefined any. */
  readonly rate: () => number | undefined;
  readonly startedAt: string;
  readonly identity: () => Identity;
  readonly settings: () => AgentSettings;
  readonly tally: () => Tally;
  /** A heartbeat, now. */
  readonly tell: () => void;
  /** The first heartbeat comes before the sources are begun: what it asks for waits for them. */
  readonly begun: Promise<void>;
}

export interface Centre {
  readonly orders: Orders;
  readonly pipes: () => Pipes;
  /** Says so when a pause begins or ends, whether the centre or agent.yaml decided it. */
  readonly tellPause: () => void;
}

/** Whether nothing leaves: the centre wishes it, also while it cannot be asked, and agent.yaml allows it. */
export function isPaused({ pause }: Pick<Identity, "pause">, { allow }: AgentSettings): boolean {
  return pause !== undefined && allow.pause;
}

export function openCentre(parts: CentreParts): Centre {
  const { report, redactor, settings, identity, sources } = parts;
  let said = false;
  return {
    pipes: () => pipesNow(parts),
    orders: new Orders({
      carryOut: {
        scan: async ({ source }) => {
          await parts.begun;
          return await sources.scan(source);
        },
        diagnostics: async (command) => {
          await parts.begun;
          return await diagnose(parts, command);
        },
      },
      denied: (kind) => (kind === "diagnostics" && !settings().allow.diagnostics ? DENIED : undefined),
      report,
      words: redactor.redact,
      tell: parts.tell,
    }),
    tellPause() {
      const paused = isPaused(identity(), settings());
      if (said === paused) return;
      said = paused;
      report(paused ? { kind: "AgentPaused", by: identity().pause?.by ?? "" } : { kind: "AgentResumed" });
    },
  };
}

const DENIED =
  "agent.yaml of this host does not allow it (allow.diagnostics); its administrator can send what this writes: tributary-agent diagnostics --out FILE";

function pipesNow(parts: CentreParts): Pipes {
  const { sources, queue, now, traffic, today, rate, bandwidth } = parts;
  return pipesOf({
    states: sources.states(),
    sealing: sources.sealing(),
    waiting: queue.waitingBySource(),
    uncaptured: queue.uncaptured(),
    postponed: queue.postponed(now()),
    sending: traffic.sending(),
    delivered: today.all(),
    holds: holdsNow(parts),
    throttled: rate() !== undefined && rate() !== 0 && bandwidth.waiting() > 0,
  });
}

function holdsNow({ identity, settings, rate, tally, dispatcher }: CentreParts): readonly Hold[] {
  const { pause } = identity();
  const paused = isPaused(identity(), settings());
  const { trouble } = tally();
  return [
    ...(paused && pause !== undefined ? [{ reason: "paused", since: Date.parse(pause.since) } as const] : []),
    ...(rate() === 0 && !paused ? [{ reason: "outside-schedule", since: undefined } as const] : []),
    ...(trouble === null ? [] : [{ reason: reasonOf(trouble.code), since: Date.parse(trouble.since) }]),
    // A quota holds what is too large for it: of that the queue knows what was tried.
    ...dispatcher.held().flatMap(({ client, source, code, since }): Hold[] => {
      const reason = reasonOf(code);
      return reason === "quota" ? [] : [{ reason, since, client, source: source ?? undefined }];
    }),
  ];
}

async function diagnose(parts: CentreParts, { id }: Command): Promise<string> {
  // Loaded only here: what runs for months need not hold it.
  const { makeBundle } = await import("./diagnostics/bundle.ts");
  const { data, env, secrets, queue, log, redactor, sources, dispatcher, turns, clock } = parts;
  const [identity, settings] = [parts.identity(), parts.settings()];
  const { gzip } = await makeBundle({
    ...{ data, env, identity, settings, secrets, queue },
    ...{ log: log.last(), redactor, now: () => new Date(parts.now()) },
    live: {
      ...{ startedAt: parts.startedAt, ...parts.tally(), skewMs: clock.skewMs() },
      paused: isPaused(identity, settings),
      ...{ held: dispatcher.held(), slowed: turns.slowed() },
      ...{ sources: sources.states(), pipe: pipesNow(parts).all },
    },
  });
  await parts.receiver.call({
    method: "POST",
    path: `${ROUTE.diagnostics}?command=${id}`,
    headers: { "content-type": DIAGNOSTICS.type },
    body: gzip,
    signal: parts.stop,
  });
  return `${gzip.length} bytes sent`;
}
