/** What the settings of a source mean for its capture, whatever its kind. */
import type { FolderSettings } from "../config.ts";
import { type AfterRule, afterRule } from "../source/after.ts";
import { everyMs, type Schedule } from "./schedule.ts";

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
  /** On this host: events are watched, and the root is asked for between the looks, too. Away from it each question costs its server something. */
  readonly near: boolean;
  readonly watch: boolean;
  /** Files that are sealed at once. */
  readonly parallel: number;
  /** The command that accepts another root, or place, as the source's own. */
  readonly accept: string;
}

const LANES = 4;

export function folderRules(settings: FolderSettings): CaptureRules {
  return {
    settleMs: settings.settle,
    snapshotMs: settings.snapshotGrowing,
    rehashMs: settings.rehash,
    removals: settings.removals,
    copy: settings.capture === "copy",
    after: afterRule(settings.after, settings.path),
    schedule: everyMs(settings.rescan),
    near: true,
    watch: !settings.share,
    parallel: LANES,
    accept: '"add-folder" is run again with the same path',
  };
}
