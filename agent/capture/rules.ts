/** What the settings of a source mean for its capture, whatever its kind. */
import { isNear, type SourceSettings } from "../config.ts";
import type { AfterRule } from "../source/after.ts";
import { cronTimes, everyMs, type Schedule } from "./schedule.ts";

export interface CaptureRules {
  readonly settleMs: number;
  /** A file that moves for this long is captured as it is; undefined: never. */
  readonly snapshotMs: number | undefined;
  readonly rehashMs: number | undefined;
  readonly removals: boolean;
  /** What is sealed is copied into the spool. */
  readonly copy: boolean;
  readonly after: AfterRule | undefined;
  readonly schedule: Schedule;
  /** On this host: the root is asked for between the looks, too. Away from it each question costs its server something. */
  readonly near: boolean;
  /** Events are watched. */
  readonly watch: boolean;
  /** Files that are sealed at once. */
  readonly parallel: number;
  /** What has to happen for another root, or place, to be taken as the source's own. */
  readonly accept: string;
}

const LANES = 4;
const EVERY_MS = 300_000;

/** `after`: with whole paths of the place where the source lies. */
export function captureRules(settings: SourceSettings, after: AfterRule | undefined): CaptureRules {
  const near = isNear(settings);
  return {
    settleMs: settings.settle,
    snapshotMs: settings.snapshotGrowing,
    rehashMs: settings.rehash,
    removals: settings.removals,
    // From far away a file is read once: what leaves is what was sealed.
    copy: !near || settings.capture === "copy",
    after,
    schedule: scheduleOf(settings),
    near,
    watch: settings.kind === "folder" && !settings.share,
    parallel: settings.kind === "folder" ? LANES : settings.parallel,
    accept: `"tributary-agent accept ${settings.name}" is run`,
  };
}

function scheduleOf(settings: SourceSettings): Schedule {
  if (settings.kind === "folder") return everyMs(settings.rescan);
  const { every, cron, timeZone } = settings;
  return cron === undefined ? everyMs(every ?? EVERY_MS) : cronTimes(cron, timeZone);
}
