/** What agent.yaml says of every source away from this host, whatever its kind. */
import { z } from "zod";
import { sourceFields, timedFields } from "../source/settings.ts";

/** A kind adds where it lies and who may read it. */
export const remoteFields = {
  ...sourceFields,
  ...timedFields,
  lease: z
    .boolean()
    .optional()
    .describe(
      "Several agents have this source, and share it: one at a time looks through it. Without it: yes where the agent acts for several clients.",
    ),
} as const;

const common = z.strictObject(remoteFields);
/** Without what its kind adds. */
export type RemoteSettings = z.output<typeof common>;
