/** What a source would capture, and what not and why: `scan --dry-run` shows it, and touches nothing. */
import { ROOT } from "./bytes.ts";
import type { Sighting, Source, Unseen } from "./source.ts";
import { walk } from "./walk.ts";

export type DryRunLine =
  | ({ readonly kind: "captured" } & Sighting)
  /** `code` undefined: by rule; else it is a problem. */
  | ({ readonly kind: "skipped" } & Unseen);

export async function* dryRun(
  source: Pick<Source, "list">,
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<DryRunLine> {
  for await (const { files, unseen } of walk(source, ROOT, signal)) {
    for (const file of files) yield { kind: "captured", ...file };
    for (const one of unseen) yield { kind: "skipped", ...one };
  }
}
