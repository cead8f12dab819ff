/** What a look at every file says, beside what is known of it already. Pure but for the looking. */
import { formatDuration } from "@tributary/shared/units.ts";
import type { Intake } from "../queue/queue.ts";
import { sameState } from "../settle/settle.ts";
import { join } from "../source/bytes.ts";
import type { Listing, Sighting, Source } from "../source/source.ts";
import { walk } from "../source/walk.ts";

export interface Finding {
  readonly path: Buffer;
  /** held: it should be captured, but cannot now. gone: `run` reports its removal, where it may. */
  readonly what: "capture" | "waits" | "held" | "skipped" | "gone" | "unchanged";
  readonly reason: string;
  readonly size?: number;
}

/** What the queue knows of a source. */
export type Known = Pick<Intake, "seenIn" | "standing" | "childFolders" | "foldersSeen">;

/** Every file of the source. `known` undefined: nothing was ever captured. */
export async function* findings(
  source: Pick<Source, "list">,
  known: Known | undefined,
  settleMs: number,
  now: () => number,
): AsyncGenerator<Finding> {
  for await (const listing of walk(source, Buffer.alloc(0), new AbortController().signal)) {
    const seen = new Map(
      (known?.seenIn(listing.folder) ?? []).map((one) => [one.path.toString("latin1"), one]),
    );
    for (const file of listing.files) {
      const before = seen.get(file.path.toString("latin1"));
      seen.delete(file.path.toString("latin1"));
      const size = file.state.size;
      if (before !== undefined && sameState(before.state, file.state))
        yield { path: file.path, size, ...sealed(known?.standing(file.path).waiting) };
      else yield { path: file.path, size, ...toSeal(file, before !== undefined, settleMs, now()) };
    }
    for (const { path, reason, code, absent } of listing.unseen) {
      if (!absent) seen.delete(path.toString("latin1"));
      yield {
        path,
        what: code === undefined ? "skipped" : "held",
        reason: code === undefined ? reason : `${code}: ${reason}`,
      };
    }
    if (!listing.complete) continue;
    for (const { path } of seen.values()) yield { path, what: "gone", reason: "it is no longer there" };
    if (known) yield* goneFolders(listing, known);
  }
}

function sealed(
  waiting: "none" | "in-place" | "spooled" | "removal" | undefined,
): Pick<Finding, "what" | "reason"> {
  if (waiting === "in-place" || waiting === "spooled")
    return { what: "waits", reason: "sealed, on its way to the receiver" };
  return { what: "unchanged", reason: "as last sealed" };
}

function toSeal(
  file: Sighting,
  known: boolean,
  settleMs: number,
  now: number,
): Pick<Finding, "what" | "reason"> {
  const { mtimeNs, ctimeNs } = file.state;
  const age = now - Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  if (age >= 0 && age < settleMs)
    return { what: "waits", reason: `must hold still for ${formatDuration(settleMs)}` };
  return { what: "capture", reason: known ? "changed" : "new" };
}

function* goneFolders({ folder, folders, unseen }: Listing, known: Known): Generator<Finding> {
  const there = new Set(
    [...folders, ...unseen.filter(({ absent }) => !absent).map(({ path }) => path)].map((path) =>
      path.toString("latin1"),
    ),
  );
  for (const name of known.childFolders(folder)) {
    const child = join(folder, name);
    if (there.has(child.toString("latin1"))) continue;
    for (const below of known.foldersSeen(child))
      for (const { path } of known.seenIn(below))
        yield { path, what: "gone", reason: "its folder is no longer there" };
  }
}
