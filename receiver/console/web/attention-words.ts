/**
 * What needs somebody, as a sentence: where it is, what is wrong and since when, what to do next, and what the centre can do
 * about it. Pure: the pages show it, the tests read it.
 */
import type { HeldReason } from "@tributary/shared/protocol.ts";
import type { Cause } from "../../attention/attention.ts";
import type { NeedsSomebody } from "../answers.ts";
import { formatCount, formatDuration, formatSize } from "./parts/numbers.tsx";
import { plainText } from "./parts/plain.tsx";
import { t } from "./texts.ts";

/** What stands beside the words: a thing that the centre does, or a place where one goes on. */
export type Act =
  | { readonly kind: "scan"; readonly agent: string; readonly source: string | null }
  | { readonly kind: "resume"; readonly agent: string }
  | {
      readonly kind: "open";
      readonly href: string;
      readonly to: "quarantine" | "webhooks" | "log" | "agent" | "settings";
    };

export interface AttentionWords {
  /** "acme / pos-daily". */
  readonly where: string;
  /** Where its name leads. */
  readonly href: string;
  /** "2 h late: the agent hq-01 cannot reach it since 05:12: …". */
  readonly what: string;
  readonly next: string;
  readonly acts: readonly Act[];
}

/** Of who looks; in the pages both are the browser's. */
export interface Place {
  readonly locale?: string;
  readonly timeZone?: string;
}

const words = t.attention;
const MINUTE = 60_000;
const DAY = 86_400_000;

/** `now`: ms since 1970. */
export function attentionWords(one: NeedsSomebody, now: number, place: Place = {}): AttentionWords {
  const since = one.since === null ? "" : words.since(clockWords(one.since, now, place));
  const cause = causeWords(one, since);
  return {
    where: whereOf(one),
    href: hrefOf(one),
    // Names of files, and what agents and endpoints said, are text of strangers.
    what: plainText(
      one.late === null ? capital(cause) : `${capital(lateWords(one.late, now, place))}: ${cause}`,
    ),
    next: nextOf(one),
    acts: actsOf(one),
  };
}

/** "05:12" of today, "yesterday 18:40", "3 Jun, 18:40". */
export function clockWords(at: string, now: number, { locale, timeZone }: Place = {}): string {
  const ms = Date.parse(at);
  const day = (of: number): string => new Intl.DateTimeFormat("en-CA", { timeZone }).format(of);
  const format = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat(locale, { timeZone, hour: "2-digit", minute: "2-digit", ...options }).format(ms);
  if (day(ms) === day(now)) return format({});
  if (day(ms) === day(now - DAY)) return words.yesterday(format({}));
  return format({ day: "numeric", month: "short" });
}

/** Of one reason of the pipe; the agent's page lists them. */
export function heldWords(reason: HeldReason, count: number, path?: string | null, since = ""): string {
  const example = path == null || path === "" ? "" : words.example(plainText(path));
  return words.held[reason](filesOf(count)) + since + example;
}

/** By the code of a problem that an agent tells. */
export function nextOfCode(code: string | null): string {
  return (code === null ? undefined : words.nextOf[code]) ?? words.nextElse;
}

const filesOf = (count: number): string => words.count(formatCount(count), count === 1);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function whereOf({ client, source, agent, cause }: NeedsSomebody): string {
  if (cause.kind === "quarantine") return words.quarantine;
  if (cause.kind === "webhook") return words.webhook(cause.name ?? cause.webhook);
  const place = [client, source ?? agent?.name].filter((part) => part != null);
  return place.length === 0 ? words.site : place.join(" / ");
}

function hrefOf({ client, source, agent, cause }: NeedsSomebody): string {
  if (cause.kind === "quarantine") return "/quarantine";
  if (cause.kind === "webhook") return "/webhooks";
  if (source === null && agent !== null) return `/agents/${agent.id}`;
  return client === null ? "/clients" : `/clients/${client}`;
}

function lateWords(late: NonNullable<NeedsSomebody["late"]>, now: number, place: Place): string {
  const by = now - Date.parse(late.usualBy);
  return by < DAY
    ? words.late(formatDuration(Math.max(by, MINUTE)))
    : words.missing(clockWords(late.usualBy, now, place));
}

function causeWords({ cause, agent }: NeedsSomebody, since: string): string {
  const who = agent === null ? words.anAgent : words.agent(agent.name);
  switch (cause.kind) {
    case "agent-silent":
      return (
        (cause.lastSeenAt === null ? words.causes.neverSpoke(who, since) : words.causes.silent(who, since)) +
        waits(cause.waiting)
      );
    case "agent-forked":
      return words.causes.forked(who, cause.hosts.join(", "), since);
    case "agent-paused":
      return words.causes.paused(who, cause.by, since) + waits(cause.waiting);
    case "clock":
      return words.causes.clock(who, formatDuration(Math.abs(cause.skewMs)), cause.skewMs > 0);
    case "source-unreachable":
      return words.causes.unreachable(who, since, cause.reason);
    case "held":
      return heldWords(cause.reason, cause.count, cause.path, since);
    case "set-aside":
      return words.causes.aside(who, filesOf(cause.count), cause.count === 1, since, cause.detail ?? "");
    case "refused":
      return words.causes.refused(
        cause.name ?? cause.bearer,
        cause.count === 1 ? words.causes.once : words.causes.times(formatCount(cause.count)),
        since,
        cause.detail,
      );
    case "quarantine":
      return words.causes.quarantine(filesOf(cause.files), formatSize(cause.bytes), cause.files === 1, since);
    case "webhook":
      return webhookWords(cause, since);
    case "not-known":
      return words.causes.notKnown;
  }
}

const waits = (waiting: number): string =>
  waiting === 0 ? "" : words.waits(formatCount(waiting), waiting === 1);

function webhookWords(cause: Extract<Cause, { kind: "webhook" }>, since: string): string {
  const { state, dead, failure } = cause;
  const parts: string[] = [];
  if (isEnded(state)) parts.push(words.webhooks[state](since));
  else if (state !== "active" && state !== "suspended") parts.push(words.webhooks.other(state));
  if (dead > 0) parts.push(words.webhooks.dead(formatCount(dead), dead === 1));
  return parts.join("; ") + (failure === null ? "" : `: ${failure}`);
}

const isEnded = (state: string): state is "failing" | "gone" | "full" | "lost" =>
  ["failing", "gone", "full", "lost"].includes(state);

function nextOf({ cause, agent }: NeedsSomebody): string {
  switch (cause.kind) {
    case "agent-silent":
      return cause.lastSeenAt === null ? words.next.neverSpoke : words.next.silent;
    case "agent-forked":
      return words.next.forked;
    case "agent-paused":
      return words.next.paused;
    case "clock":
      return words.next.clock;
    case "source-unreachable":
      return words.next.unreachable;
    case "held":
      return words.nextHeld[cause.reason];
    case "set-aside":
      return nextOfCode(cause.code);
    case "refused":
      return words.nextOf[cause.code] ?? words.next.refused;
    case "quarantine":
      return words.next.quarantine;
    case "webhook":
      return cause.state === "active" ? words.next.deadOnly : words.next.webhook;
    case "not-known":
      return agent === null ? words.next.notKnownNoAgent : words.next.notKnown;
  }
}

/** Reasons of which an agent finds out that they are gone when it looks again. */
const LOOKED_AT: readonly HeldReason[] = ["still-changing", "locked", "unreadable", "source-unreachable"];
const OF_QUOTA = ["quota", "retry-after"];
const QUOTA_CODES = ["quota-day", "quota-stored", "quota-file", "limit-requests", "limit-concurrent"];

function actsOf({ cause, agent, client, source }: NeedsSomebody): readonly Act[] {
  const toAgent: readonly Act[] =
    agent === null ? [] : [{ kind: "open", href: `/agents/${agent.id}`, to: "agent" }];
  const scan: readonly Act[] = agent === null ? [] : [{ kind: "scan", agent: agent.id, source }];
  const settings: readonly Act[] =
    client === null ? [] : [{ kind: "open", href: `/clients/${client}/settings`, to: "settings" }];
  switch (cause.kind) {
    case "agent-paused":
      return agent === null ? [] : [{ kind: "resume", agent: agent.id }];
    case "source-unreachable":
    case "not-known":
      return scan;
    case "held":
      if (cause.reason === "paused" && agent !== null) return [{ kind: "resume", agent: agent.id }];
      if (LOOKED_AT.includes(cause.reason)) return scan;
      return OF_QUOTA.includes(cause.reason) ? [...settings, ...toAgent] : toAgent;
    case "refused":
      return [
        ...(QUOTA_CODES.includes(cause.code) ? settings : []),
        ...(cause.requestId === null
          ? []
          : [
              {
                kind: "open",
                href: `/log?requestId=${encodeURIComponent(cause.requestId)}`,
                to: "log",
              } as const,
            ]),
      ];
    case "quarantine":
      return [{ kind: "open", href: "/quarantine", to: "quarantine" }];
    case "webhook":
      return [{ kind: "open", href: "/webhooks", to: "webhooks" }];
    default:
      return toAgent;
  }
}
