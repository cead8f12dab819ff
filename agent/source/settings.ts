/** What agent.yaml says of a source, whatever its kind, and of those that this host sees as folders. */
import { slug } from "@tributary/shared/protocol.ts";
import { byteRate, duration } from "@tributary/shared/settings.ts";
import { z } from "zod";

const after = z
  .string()
  .regex(/^(keep|delete|move:.+)$/s, "expected keep, delete or move:DIR")
  .describe(
    "What to do with the file once its receipt is here: keep, delete, or move:DIR (relative to the source's root, or absolute).",
  );

const settle = duration.describe(
  "How long a file must hold still before it is sealed; without meaning where objects appear whole.",
);

/** Of every source. */
export const sourceFields = {
  name: slug.describe("The source's name, unique per client."),
  client: slug
    .optional()
    .describe("Which client it belongs to; needed only when the agent acts for several."),
  include: z.array(z.string()).default([]).describe("Globs of what is captured; empty means everything."),
  exclude: z.array(z.string()).default([]).describe("Globs of what is not captured; wins over include."),
  settle: settle.default(2000),
  rehash: duration
    .refine((ms) => ms >= 60_000, "expected 1m or more: the disk would never rest")
    .optional()
    .describe(
      "Re-reads every file on this cycle, to find changes that left no trace in size or times; 1m at least.",
    ),
  after: after.default("keep"),
  snapshotGrowing: z
    .union([z.literal("never").transform(() => undefined), duration])
    .optional()
    .describe("A file that never holds still is captured as it is after this time (a duration), or never."),
  removals: z.boolean().default(true).describe("Report files that vanish as removals."),
  bandwidth: byteRate.optional().describe("The most that is read from it per second."),
} as const;

/** Of sources that are looked through at times, because nothing tells of changes. */
export const timedFields = {
  every: duration
    .refine((ms) => ms >= 1000, "expected 1s or more: one look would follow the other")
    .optional()
    .describe("How often it is looked through; 5m where neither this nor `cron` is given."),
  cron: z
    .string()
    .min(1)
    .optional()
    .describe(
      'When it is looked through, in place of `every`: minute, hour, day of the month, month, day of the week, as in "30 2 * * mon-fri".',
    ),
  timeZone: z
    .string()
    .refine(isTimeZone, 'expected the name of a time zone, such as "Europe/Berlin"')
    .optional()
    .describe("Of `cron`; without it the host's own."),
  parallel: z.int().min(1).max(32).default(4).describe("Files that are read from it at once."),
} as const;

const path = z.string().min(1).describe("The folder; a relative one begins at the folder of agent.yaml.");
const capture = z
  .enum(["in-place", "copy"])
  .default("in-place")
  .describe(
    "copy: each sealed version is copied into the spool, so none is lost while the receiver is away.",
  );
const crossMounts = z
  .boolean()
  .default(false)
  .describe("Also descend into other file systems mounted below the folder.");

export const folderSettings = z.strictObject({
  ...sourceFields,
  kind: z
    .literal("folder")
    .optional()
    .transform(() => "folder" as const)
    .describe("A folder on this host; without `kind` a source is one."),
  path,
  rescan: duration
    .refine((ms) => ms >= 1000, "expected 1s or more: one scan would follow the other")
    .default(300_000)
    .describe("How often the whole source is scanned, whatever the events said; 1s at least."),
  capture,
  share: z
    .boolean()
    .default(false)
    .describe("The folder lies on a share; the same as the kind share, with `rescan` in place of `every`."),
  crossMounts,
});
export type FolderSettings = z.output<typeof folderSettings>;

export const shareSettings = z.strictObject({
  ...sourceFields,
  ...timedFields,
  kind: z
    .literal("share")
    .describe("A share that this host has mounted: file ids are not trusted, events not expected."),
  path,
  // Copying to a share sets the whole size at once, and may rest for some seconds in the middle.
  settle: settle.default(10_000),
  capture,
  crossMounts,
});
export type ShareSettings = z.output<typeof shareSettings>;

/** As this host knows them: names of other lists would fail at the first use, and not when they are read. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
