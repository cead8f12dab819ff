/** `agent.yaml`: what the host's administrator decides. Every mistake is refused with its line and what was expected. */
import { dirname, resolve } from "node:path";
import { byteRate, byteSize, loadSettings } from "@tributary/shared/settings.ts";
import { z } from "zod";
import { kindNamed, type RemoteSourceSettings, remoteSettings } from "./remote/kinds.ts";
import { afterRule, remoteAfterRule } from "./source/after.ts";
import { cronFault } from "./source/cron.ts";
import { movesNowhere } from "./source/moved.ts";
import { type FolderSettings, folderSettings, type ShareSettings, shareSettings } from "./source/settings.ts";

/** Whether this host sees its files as a folder. */
export function isNear(source: SourceSettings): source is FolderSettings | ShareSettings {
  return source.kind === "folder" || source.kind === "share";
}

/** Whether its server is verified against the authorities that this host trusts. */
export function isCertified(source: SourceSettings): boolean {
  return !isNear(source) && kindNamed(source.kind)?.certified(source) === true;
}

export type { FolderSettings, ShareSettings };
export type SourceSettings = FolderSettings | ShareSettings | RemoteSourceSettings;

// Each kind's own type is lost in the list of them.
const sourceSettings = z
  .discriminatedUnion("kind", [folderSettings, shareSettings, ...remoteSettings] as never)
  .superRefine((source: SourceSettings, context) => {
    for (const { key, message } of faultsOf(source))
      context.addIssue({ code: "custom", path: [key], message });
  }) as unknown as z.ZodType<SourceSettings>;

/** What its keys say together. */
function* faultsOf(source: SourceSettings): Generator<{ readonly key: string; readonly message: string }> {
  if (isOnItself(source))
    yield { key: "after", message: "files would be moved to where they are; expected another folder" };
  if (source.kind === "folder") return;
  const { every, cron, timeZone } = source;
  if (every !== undefined && cron !== undefined)
    yield { key: "cron", message: "beside `every`: only one of them says when it is looked through" };
  if (timeZone !== undefined && cron === undefined)
    yield { key: "timeZone", message: "without `cron` it has no meaning" };
  const fault = cron === undefined ? undefined : cronFault(cron);
  if (fault !== undefined) yield { key: "cron", message: fault };
}

function isOnItself(source: SourceSettings): boolean {
  const root = isNear(source) ? resolve(source.path) : (kindNamed(source.kind)?.root(source) ?? "");
  const rule = isNear(source) ? afterRule(source.after, root) : remoteAfterRule(source.after, root);
  if (rule?.kind !== "move") return false;
  return isNear(source) ? rule.to === root : movesNowhere(root, rule.to);
}

const DAY = "(mon|tue|wed|thu|fri|sat|sun)";
const SPAN = `${DAY}( *- *${DAY})?`;
const DAYS = new RegExp(`^ *${SPAN}( *, *${SPAN})* *$`, "i");

const schedule = z
  .array(
    z.strictObject({
      // A day that is no day would make a window that never applies, and nobody would notice.
      days: z
        .string()
        .regex(DAYS, 'expected days out of mon, tue, wed, thu, fri, sat, sun, such as "mon-fri" or "sat,sun"')
        .default("mon-sun")
        .describe('Days, such as "mon-fri" or "sat,sun".'),
      from: z
        .string()
        .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "expected HH:MM")
        .describe("Local time HH:MM."),
      to: z
        .string()
        .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "expected HH:MM")
        .describe("Local time HH:MM; before `from` means over midnight."),
      bandwidth: byteRate.describe("The rate in this window; 0B/s pauses."),
    }),
  )
  .describe(
    "Windows of the week with a bandwidth of their own; the first that fits wins; outside of all, limits.bandwidth.",
  );

export const agentSettings = z.strictObject({
  sources: z.array(sourceSettings).default([]).describe("Where files appear."),
  allow: z
    .strictObject({
      read: z.array(z.string()).default([]),
      write: z.array(z.string()).default([]),
      connect: z.array(z.string()).default([]),
      run: z.array(z.string()).default([]),
      update: z.boolean().default(false),
      diagnostics: z
        .boolean()
        .default(true)
        .describe(
          "Whether the centre may ask for diagnostics: configuration, queue, problems and the last lines of the log, with names of files, without secrets and without content of files.",
        ),
      pause: z
        .boolean()
        .default(true)
        .describe("Whether the centre may keep files from leaving for a while; they go on being captured."),
    })
    .prefault({})
    .describe("What the centre may change from afar; nothing unless named."),
  limits: z
    .strictObject({
      bandwidth: byteRate.optional().describe("The most that is sent per second."),
      schedule: schedule.default([]),
      spool: byteSize.default(10e9).describe("The most that copied captures may occupy."),
      parallel: z.int().min(1).max(64).default(8).describe("Parcels on their way at once."),
    })
    .prefault({})
    .describe("How much of the host and the line is used."),
  proxy: z
    .url({
      protocol: /^https?$/,
      error: "expected the address of an HTTP proxy, such as http://proxy.local:3128",
    })
    .optional()
    .describe("HTTP proxy for the way to the receiver; else HTTPS_PROXY and NO_PROXY count."),
  tls: z
    .strictObject({
      ca: z
        .string()
        .optional()
        .describe(
          "PEM file of a further authority to trust, for the receiver and for sources: an intercepting company proxy; relative to the folder of agent.yaml.",
        ),
    })
    .prefault({})
    .describe("Trust beyond what enrolment brought."),
  log: z.enum(["error", "warn", "info", "debug"]).default("info").describe("How much is logged."),
});
export type AgentSettings = z.output<typeof agentSettings>;

/**
 * Reads `agent.yaml`; throws `config-invalid`. Names must be unique per client. All paths are absolute then. A file that
 * is not there counts as empty, as on a host that was just enrolled, unless it is `required`.
 */
export function loadAgentSettings(file: string, required = false): AgentSettings {
  return placed(loadSettings(file, agentSettings.superRefine(uniqueNames), !required), file);
}

function placedRemote(source: RemoteSourceSettings, base: string): RemoteSourceSettings {
  const keys: readonly string[] = kindNamed(source.kind)?.paths ?? [];
  const all = Object.entries(source).map(([key, value]) => [
    key,
    keys.includes(key) && typeof value === "string" ? resolve(base, value) : (value as unknown),
  ]);
  return Object.fromEntries(all) as RemoteSourceSettings;
}

/** Relative paths begin at the folder of agent.yaml: a service and an administrator's shell stand in different ones. */
export function placed(settings: AgentSettings, file: string): AgentSettings {
  const base = dirname(resolve(file));
  const { sources, tls } = settings;
  return {
    ...settings,
    sources: sources.map((source) =>
      isNear(source) ? { ...source, path: resolve(base, source.path) } : placedRemote(source, base),
    ),
    tls: tls.ca === undefined ? tls : { ...tls, ca: resolve(base, tls.ca) },
  };
}

function uniqueNames(settings: AgentSettings, context: z.RefinementCtx): void {
  const names = new Set<string>();
  settings.sources.forEach((source, i) => {
    const identity = `${source.client ?? ""}/${source.name}`;
    if (names.has(identity))
      context.addIssue({
        code: "custom",
        path: ["sources", i, "name"],
        message: `a second source is named "${source.name}"; names are unique per client`,
      });
    names.add(identity);
  });
}
