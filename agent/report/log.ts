/** Facts become log lines: one readable line each on a terminal, JSON lines elsewhere. Nothing else writes the log. */
import { displayPath } from "@tributary/shared/path.ts";
import { printable } from "@tributary/shared/terminal.ts";
import { formatBytes, formatDuration } from "@tributary/shared/units.ts";
import { type DestinationStream, type Level, pino } from "pino";
import type { Fact, Report } from "../facts.ts";

type LogLevel = Extract<Level, "error" | "warn" | "info" | "debug">;

export interface Log {
  readonly report: Report;
  /** A changed `log:` counts at once. */
  level(level: LogLevel): void;
  /** What is no fact of the flow: starting, stopping. */
  say(text: string): void;
  /** The last lines, oldest first, as JSON. */
  last(): readonly string[];
}

const LAST = 300;
/** Characters of a line that are remembered: the stack of a fault, and more of what is long without need. */
const LONGEST = 4_000;

/** `terminal`: people read it; `said`: what may be said of a text. Writes are synchronous, so that the last line before an end is never lost. */
export function logTo(
  stream: DestinationStream,
  terminal: boolean,
  level: LogLevel,
  said: (text: string) => string,
): Log {
  const last: string[] = [];
  const write = (line: string): void => {
    last.push(line.trimEnd().slice(0, LONGEST));
    if (last.length > LAST) last.shift();
    stream.write(terminal ? forPeople(line) : line);
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    report: (fact) => {
      const loud = levelOf(fact);
      if (!logger.isLevelEnabled(loud)) return;
      const { kind, ...rest } = fact;
      const fields = "path" in rest ? { ...rest, path: displayPath(rest.path) } : rest;
      logger[loud]({ fact: kind, ...saidOf(fields, said) }, said(words(fact)));
    },
    level: (changed) => {
      logger.level = changed;
    },
    say: (text) => logger.info(said(text)),
    last: () => [...last],
  };
}

/** Before it becomes JSON: there a secret looks otherwise. */
function saidOf(fields: object, said: (text: string) => string): object {
  const one = (value: unknown): unknown =>
    typeof value === "string" ? said(value) : Array.isArray(value) ? value.map(one) : value;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, one(value)]));
}

function forPeople(line: string): string {
  const { level, time, msg } = JSON.parse(line) as { level: string; time: string; msg: string };
  const mark = level === "info" || level === "debug" ? "" : `${level}: `;
  return `${new Date(time).toTimeString().slice(0, 8)} ${mark}${printable(msg)}\n`;
}

/** How loud a fact is: error needs a person, warn may pass by itself. */
function levelOf(fact: Fact): LogLevel {
  switch (fact.kind) {
    case "ParcelSetAside":
    case "AgentStopped":
    case "ConfigurationRefused":
    case "FaultFound":
      return "error";
    case "WatchFailed":
    case "SourceWarned":
    case "RootChanged":
    case "FileHeldBack":
    case "ParcelPostponed":
    case "ParcelOvertaken":
    case "ReceiverLost":
    case "ClockSkewed":
    case "AgentPaused":
    case "AfterActionSkipped":
    case "FileVanishedUnsent":
      return "warn";
    case "SourceHealthChanged":
      return fact.healthy ? "info" : "warn";
    case "CommandDone":
      return fact.ok ? "info" : "warn";
    case "ScanFinished":
    case "ParcelSealed":
    case "RemovalSealed":
      return "debug";
    case "FileRecovered":
    case "ParcelDelivered":
    case "ParcelSuperseded":
    case "AfterActionDone":
    case "ReceiverBack":
    case "ConfigurationTaken":
    case "RootTaken":
    case "SourceShared":
    case "AgentResumed":
      return "info";
  }
}

/** The fact as a sentence. */
function words(fact: Fact): string {
  const file = "path" in fact ? `${fact.source}/${displayPath(fact.path)}` : "";
  switch (fact.kind) {
    case "ScanFinished":
      return `${fact.source}: looked at ${fact.files} files in ${fact.folders} folders in ${formatDuration(fact.ms)}${fact.complete ? "" : ", not at all of them"}`;
    case "WatchFailed":
      return `${fact.source}: file events do not arrive (${fact.reason}); scans find everything, later`;
    case "SourceShared":
      return `${fact.client}/${fact.source}: ${fact.detail}`;
    case "SourceWarned":
      return `${fact.source}: ${fact.detail}`;
    case "SourceHealthChanged":
      return fact.healthy ? `${fact.source}: reachable again` : `${fact.source}: ${fact.reason}`;
    case "RootChanged":
      return `${fact.source}: ${fact.detail} (root-changed)`;
    case "RootTaken":
      return `${fact.source}: ${fact.accepted ? "its folder is accepted as it now is" : "its folder is the one that it was again"}; what vanished from it counts as removed`;
    case "FileHeldBack":
      return `${file} cannot be captured now: ${fact.detail} (${fact.code})`;
    case "FileRecovered":
      return `${file} can be captured again`;
    case "FileVanishedUnsent":
      return `${file} vanished before it could be sent; the receiver never had it`;
    case "ParcelSealed":
      return `${file} sealed, ${formatBytes(fact.size)}${fact.snapshot ? ", as it was (it never rests)" : ""}`;
    case "RemovalSealed":
      return `${file} is gone`;
    case "ParcelDelivered":
      if (fact.what === "removal")
        return fact.status === "removed"
          ? `${file} removal recorded`
          : `${file} removal changed nothing: the receiver held no version of it, or had it removed already`;
      return `${file} delivered (${fact.status}), ${formatBytes(fact.size)} in ${formatDuration(fact.ms)}`;
    case "ParcelPostponed":
      return `${file} not delivered yet: ${fact.detail} (${fact.code}); again in ${formatDuration(fact.forMs)}`;
    case "ParcelSuperseded":
      return `${file} was changed before it was sent; it is sealed anew`;
    case "ParcelSetAside":
      return `${file} set aside, ${fact.forMs === undefined ? "it is not sent again by itself" : `tried again in ${formatDuration(fact.forMs)}`}: ${fact.detail} (${fact.code})`;
    case "ParcelOvertaken":
      return `${file}: a younger version is delivered; the one that was set aside is dropped`;
    case "AfterActionDone":
      return `${file}: ${fact.action} done`;
    case "AfterActionSkipped":
      return `${file}: ${fact.action} not done: ${fact.reason}`;
    case "FaultFound":
      return `a fault in this agent, in ${fact.where}; it goes on: ${fact.detail}`;
    case "ReceiverLost":
      return `the receiver takes nothing now, everything waits: ${fact.detail} (${fact.code})`;
    case "ReceiverBack":
      return "the receiver takes files again";
    case "AgentStopped":
      return `this agent may not send any more, everything waits: ${fact.detail} (${fact.code}). ${MENDING[fact.code] ?? ""}`;
    case "CommandDone":
      return `asked by ${fact.by}: ${fact.command}${fact.source === undefined ? "" : ` of ${fact.source}`}, ${fact.ok ? "done" : "not done"}: ${fact.detail}`;
    case "AgentPaused":
      return `paused by ${fact.by}: nothing leaves until that is taken back; files are captured all the same`;
    case "AgentResumed":
      return "not paused any more: what waits leaves";
    case "ClockSkewed":
      return `this host's clock is ${formatDuration(Math.abs(fact.skewMs))} ${fact.skewMs > 0 ? "behind" : "ahead of"} the receiver's; the receiver's counts`;
    case "ConfigurationTaken":
      return `configuration taken: ${fact.sources.length === 0 ? "no sources yet; add one with: tributary-agent add-folder PATH --name SOURCE" : `sources ${fact.sources.join(", ")}`}`;
    case "ConfigurationRefused":
      return `the configuration was refused, the one before stays: ${fact.detail}`;
  }
}

const MENDING: Partial<Record<string, string>> = {
  "agent-forked":
    "Another host works with a copy of this data folder: stop that one, then have this agent invited with --replaces and enroll it again; the queue is kept",
  "agent-revoked": "It was revoked at the receiver; the queue is kept. Ask the receiver's operator",
  unauthenticated:
    "The receiver does not know this key: the agent may have moved to another host, or been restored from a backup. Have it invited with --replaces and enroll it again; the queue is kept",
};
