/** What only the running agent knows, in `live.json` for `status`: whether the receiver takes files, how far the clocks are apart. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const live = z.object({
  pid: z.number(),
  startedAt: z.string(),
  /** When it last changed. */
  at: z.string(),
  /** null: it takes files. */
  trouble: z.object({ code: z.string(), detail: z.string(), since: z.string() }).nullable(),
  /** A changed agent.yaml that is not taken. */
  refused: z.string().nullable(),
  /** Clients and sources of which nothing goes now; `source` null: the whole client. `until` in ms since 1970. */
  held: z
    .array(
      z.object({
        client: z.string(),
        source: z.string().nullable(),
        code: z.string(),
        detail: z.string(),
        since: z.number(),
        until: z.number(),
      }),
    )
    .readonly(),
  /** Clients of which fewer uploads go at once than this agent would send. `since` in ms since 1970. */
  slowed: z
    .array(z.object({ client: z.string(), detail: z.string(), since: z.number(), atOnce: z.number() }))
    .readonly()
    .default([]),
  /** Sources of which nothing comes, and why. */
  sources: z
    .array(z.object({ client: z.string(), name: z.string(), reason: z.string() }))
    .readonly()
    .default([]),
  skewMs: z.number(),
  delivered: z.number(),
  bytes: z.number(),
});
export type Live = z.infer<typeof live>;

/**
 * Writes `live.json` when what it says has changed, so that an idle agent leaves the disk alone; that it still runs, its
 * lock tells. Replaced in one step; not made durable: it says nothing about another life of the process. Where it
 * cannot be written, the agent goes on, and it is tried again. `words`: what may be said of a text.
 */
export function liveWriter(
  data: string,
  words: (text: string) => string,
  now: () => Date = () => new Date(),
): (state: Omit<Live, "at">) => void {
  const file = join(data, "live.json");
  let written: string | undefined;
  const said = (_key: string, value: unknown): unknown => (typeof value === "string" ? words(value) : value);
  return (state) => {
    // Clocks are never still to the millisecond.
    const steady = { ...state, skewMs: Math.round(state.skewMs / 1000) * 1000 };
    const text = JSON.stringify(steady, said);
    if (text === written) return;
    try {
      writeFileSync(`${file}.tmp`, JSON.stringify({ ...steady, at: now().toISOString() }, said));
      renameSync(`${file}.tmp`, file);
      written = text;
    } catch {
      // A full disk, most of all: the queue says so by name.
    }
  };
}

/** What the agent last said; undefined when it never ran. Whether it still runs, its lock tells. */
export function readLive(data: string): Live | undefined {
  try {
    return live.parse(JSON.parse(readFileSync(join(data, "live.json"), "utf8")));
  } catch {
    return undefined;
  }
}
