/** What agent.yaml says of every source away from this host, whatever its kind. */
import { byteRate, duration } from "@tributary/shared/settings.ts";
import { z } from "zod";
import { sourceFields } from "../source/settings.ts";

/** A time of day and week at which a source is looked through. */
const cron = z
  .string()
  .min(1)
  .describe(
    'When it is looked through, in place of `every`: minute, hour, day of the month, month, day of the week, as in "30 2 * * mon-fri".',
  );

const timeZone = z
  .string()
  .refine(isTimeZone, 'expected the name of a time zone, such as "Europe/Berlin"')
  .optional()
  .describe("Of `cron`; without it the host's own.");

/** Of every remote source; a kind adds where it lies and who may read it. */
export const remoteFields = {
  ...sourceFields,
  every: duration
    .refine((ms) => ms >= 1000, "expected 1s or more: one look would follow the other")
    .optional()
    .describe("How often it is looked through; 5m where neither this nor `cron` is given."),
  cron: cron.optional(),
  timeZone,
  bandwidth: byteRate.optional().describe("The most that is fetched from it per second."),
  parallel: z.int().min(1).max(32).default(4).describe("Files that are fetched from it at once."),
  lease: z
    .boolean()
    .optional()
    .describe(
      "Several agents have this source, and share it with the others: one at a time looks through it. Without it: yes where the agent acts for several clients.",
    ),
} as const;

const common = z.strictObject(remoteFields);
/** Without what its kind adds. */
export type RemoteSettings = z.output<typeof common>;

/** As this host knows them: names of other lists would fail at the first use, and not when they are read. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
