/** `status`: what waits, what left, what is wrong; read from the queue, also beside a running agent. */
import { displayPath } from "@tributary/shared/path.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { printable, result } from "@tributary/shared/terminal.ts";
import { formatBytes, formatDuration } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { loadAgentSettings, type SourceSettings } from "../config.ts";
import { requireIdentity } from "../identity/identity.ts";
import { whereOf } from "../open-source.ts";
import type { QueueStatus } from "../queue/status.ts";
import { readLive } from "../report/live.ts";
import { nextTime } from "../source/cron.ts";
import { learnSecrets } from "./known-secrets.ts";
import { type PlaceOptions, placeToRead, withPlace } from "./place.ts";
import type { ReadQueue } from "./receipt.ts";

interface Options extends PlaceOptions {
  readonly json?: boolean;
}

/** Whether a `run` works with this data folder now. */
export type IsRunning = (data: string) => boolean;

const MOST_PROBLEMS = 100;
const LAST_DELIVERIES = 5;

export function addStatus(
  program: Command,
  readQueue: ReadQueue,
  isRunning: IsRunning,
  redactor: Redactor,
): void {
  withPlace(
    program
      .command("status")
      .summary("what waits, what left, what is wrong")
      .description(
        "Shows whether the agent runs, what waits in its queue, its sources, the last deliveries, and every problem.",
      )
      .option("--json", "the same as one JSON object"),
  ).action(async (options: Options) => {
    const { data, config } = placeToRead(options);
    const { agentId, name, url, clients, pause } = requireIdentity(data);
    const { sources: configured, allow } = loadAgentSettings(config);
    await learnSecrets({ data, config, env: process.env, redactor }, configured);
    const running = isRunning(data);
    // What a run of before said is no news.
    const live = running ? readLive(data) : undefined;
    const report = readQueue(data, (status) => ({
      agentId,
      name,
      receiver: url,
      clients,
      running,
      pause: pause === undefined ? null : { ...pause, allowed: allow.pause },
      trouble: live?.trouble ?? null,
      refused: live?.refused ?? null,
      held: (live?.held ?? []).map(({ since, until, ...one }) => ({
        ...one,
        since: new Date(since).toISOString(),
        until: new Date(until).toISOString(),
      })),
      slowed: (live?.slowed ?? []).map(({ since, ...one }) => ({
        ...one,
        since: new Date(since).toISOString(),
      })),
      ...stateOf(status),
      configured: configured.map((source) => {
        const client = source.client ?? (clients.length === 1 ? clients[0] : undefined);
        const said = live?.sources.find((one) => one.name === source.name && one.client === client);
        return {
          ...{ name: source.name, client, kind: source.kind, path: whereOf(source) },
          times: timesOf(source, Date.now()),
          nothing: said?.reason ?? null,
        };
      }),
    }));
    const said = redacted(report, redactor);
    if (options.json) result(JSON.stringify(said));
    else for (const line of lines(said, Date.now())) result(line);
  });
}

/** What another process wrote down may be older than this one's knowledge. */
function redacted<T>(report: T, { redact }: Redactor): T {
  return JSON.parse(JSON.stringify(report), (_key, value) =>
    typeof value === "string" ? redact(value) : value,
  );
}

function timesOf(source: SourceSettings, now: number): string | null {
  if (source.kind === "folder" || source.cron === undefined) return null;
  const next = nextTime(source.cron, source.timeZone, now);
  if (next === undefined) return null;
  const zone = source.timeZone;
  const at = new Date(next).toLocaleString("sv", zone === undefined ? {} : { timeZone: zone });
  return `next at ${at}${zone === undefined ? "" : ` ${zone}`}`;
}

function stateOf(status: QueueStatus) {
  const { depth, bytes, oldestSealedAt, aside } = status.depth();
  return {
    queue: { depth, bytes, oldestSealedAt: oldestSealedAt ?? null, aside },
    sources: status.sources().map(({ client, source, files, lastScanAt }) => ({
      name: source,
      client,
      files,
      lastScanAt: lastScanAt === null ? null : new Date(lastScanAt).toISOString(),
    })),
    deliveries: status.deliveries(LAST_DELIVERIES).map((delivery) => ({
      source: delivery.source,
      path: displayPath(delivery.path),
      status: delivery.status,
      versionId: delivery.versionId,
      receivedAt: delivery.receivedAt,
    })),
    problemCount: status.problemCount(),
    problems: status.problems(MOST_PROBLEMS).map((problem) => ({
      client: problem.client,
      source: problem.source,
      path: displayPath(problem.path),
      code: problem.code,
      detail: problem.detail,
      since: problem.since,
      aside: problem.aside,
      until: problem.until ?? null,
    })),
  };
}

type StatusReport = ReturnType<typeof stateOf> & {
  readonly agentId: string;
  readonly name: string;
  readonly receiver: string;
  readonly clients: readonly string[];
  readonly running: boolean;
  /** The centre wishes that nothing leaves; `allowed`: and so it is. */
  readonly pause: { readonly since: string; readonly by: string; readonly allowed: boolean } | null;
  /** Why the receiver takes nothing now. */
  readonly trouble: { readonly code: string; readonly detail: string; readonly since: string } | null;
  /** Why a changed agent.yaml is not taken. */
  readonly refused: string | null;
  /** Clients and sources of which nothing goes now. */
  readonly held: readonly {
    readonly client: string;
    readonly source: string | null;
    readonly code: string;
    readonly detail: string;
    readonly since: string;
    /** When the next parcel of it is tried. */
    readonly until: string;
  }[];
  /** Clients whose uploads the receiver takes fewer of at once than this agent would send. */
  readonly slowed: readonly {
    readonly client: string;
    readonly detail: string;
    readonly since: string;
    readonly atOnce: number;
  }[];
  readonly configured: readonly {
    readonly name: string;
    readonly client: string | undefined;
    readonly kind: string;
    /** A folder, or where it lies elsewhere. */
    readonly path: string;
    /** When it is looked through, where that is not by events. */
    readonly times: string | null;
    /** Why nothing comes of it, as the running agent last said. */
    readonly nothing: string | null;
  }[];
};

function* lines(report: StatusReport, now: number): Generator<string> {
  const ago = (time: string): string => `${formatDuration(Math.max(0, now - Date.parse(time)))} ago`;
  yield `agent     ${printable(report.name)} (${report.agentId}) for ${report.clients.join(", ")}`;
  yield `receiver  ${report.receiver}`;
  yield `running   ${report.running ? "yes" : "no; start it with: tributary-agent run"}`;
  if (report.pause !== null) {
    const { by, since, allowed } = report.pause;
    const wished = `by ${printable(by)} (${ago(since)})`;
    yield allowed
      ? `paused    ${wished}: nothing leaves until the centre takes it back; files are captured all the same`
      : `paused    no, though wished ${wished}: agent.yaml does not allow it (allow.pause)`;
  }
  if (report.trouble !== null)
    yield `trouble   ${report.trouble.code}, ${printable(report.trouble.detail)} (${ago(report.trouble.since)})`;
  if (report.refused !== null) yield `settings  a change is not taken: ${printable(report.refused)}`;
  for (const { client, source, code, detail, since, until } of report.held)
    yield `held      ${source === null ? `all of ${client}` : `source ${source} of ${client}`}: ${code}, ${printable(detail)} (${ago(since)}; tried again ${within(until, now)})`;
  for (const { client, detail, since, atOnce } of report.slowed)
    yield `slowed    ${client}: ${atOnce} at once, limit-concurrent, ${printable(detail)} (${ago(since)})`;
  const { depth, bytes, oldestSealedAt, aside } = report.queue;
  const oldest = oldestSealedAt === null ? "" : `, the oldest sealed ${ago(oldestSealedAt)}`;
  yield `waiting   ${depth === 0 ? "nothing" : `${depth} (${formatBytes(bytes)})${oldest}`}`;
  if (aside > 0)
    yield `set aside ${aside}: each with its reason below; when that is gone: tributary-agent retry`;
  for (const { name, client, path, times, nothing } of report.configured) {
    const seen = report.sources.find((source) => source.name === name && source.client === client);
    const scan = seen?.lastScanAt
      ? `${seen.files} files, looked at ${ago(seen.lastScanAt)}`
      : "not looked at yet";
    yield `source    ${name}: ${printable(path)} (${scan}${times === null ? "" : `; ${times}`})`;
    if (nothing !== null) yield `          ${printable(nothing)}`;
  }
  for (const { source, path, status, receivedAt } of report.deliveries)
    yield `delivered ${source}/${printable(path)} (${status}, ${ago(receivedAt)})`;
  for (const { source, path, code, detail, since, until } of report.problems) {
    const lasting = formatDuration(Math.max(0, now - Date.parse(since)));
    const again = until === null ? "" : `; tried again ${within(until, now)}`;
    yield `problem   ${source}/${printable(path)}: ${code}, ${printable(detail)} (for ${lasting}${again})`;
  }
  const more = report.problemCount - report.problems.length;
  if (more > 0) yield `          and ${more} more problems`;
}

function within(time: string, now: number): string {
  const ms = Date.parse(time) - now;
  return ms <= 0 ? "now" : `in ${formatDuration(ms)}`;
}
