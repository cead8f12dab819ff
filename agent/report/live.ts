/** What only the running agent knows, in `live.json` for `status`: whether the receiver takes files, how far the clocks are apart. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const live = z.object({
  pid: z.number(),
  startedAt: z.string(),
  at: z.string(),
  /** null: it takes files. */
  trouble: z.object({ code: z.string(), detail: z.string(), since: z.string() }).nullable(),
  /** A changed agent.yaml that is not taken. */
  refused: z.string().nullable(),
  skewMs: z.number(),
  delivered: z.number(),
  bytes: z.number(),
});
export type Live = z.infer<typeof live>;

/** Replaced in one step; not made durable: it says nothing about another life of the process. Where it cannot be written, the agent goes on. */
export function writeLive(data: string, state: Live): void {
  const file = join(data, "live.json");
  try {
    writeFileSync(`${file}.tmp`, JSON.stringify(state));
    renameSync(`${file}.tmp`, file);
  } catch {
    // A full disk, most of all: the queue says so by name.
  }
}

/** What the agent last said; undefined when it never ran. Whether it still runs, its lock tells. */
export function readLive(data: string): Live | undefined {
  try {
    return live.parse(JSON.parse(readFileSync(join(data, "live.json"), "utf8")));
  } catch {
    return undefined;
  }
}
