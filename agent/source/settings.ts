/** What agent.yaml says of a source, whatever its kind. */
import { slug } from "@tributary/shared/protocol.ts";
import { duration } from "@tributary/shared/settings.ts";
import { z } from "zod";

const after = z
  .string()
  .regex(/^(keep|delete|move:.+)$/s, "expected keep, delete or move:DIR")
  .describe(
    "What to do with the file once its receipt is here: keep, delete, or move:DIR (relative to the source's root, or absolute).",
  );

/** Of every source. */
export const sourceFields = {
  name: slug.describe("The source's name, unique per client."),
  client: slug
    .optional()
    .describe("Which client it belongs to; needed only when the agent acts for several."),
  include: z.array(z.string()).default([]).describe("Globs of what is captured; empty means everything."),
  exclude: z.array(z.string()).default([]).describe("Globs of what is not captured; wins over include."),
  settle: duration
    .default(2000)
    .describe(
      "How long a file must hold still before it is sealed; without meaning where objects appear whole.",
    ),
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
} as const;
