/** What a look at every file says, beside what is known of it already. Pure but for the looking. */
import { formatDuration } from "@tributary/shared/units.ts";
import { Beside } from "../queue/beside.ts";
import type { Intake, Seen } from "../queue/queue.ts";
import { fromKey, ROOT } from "../source/bytes.ts";
import { sameState } from "../source/same-state.ts";
import type { Found, Listing, Sighting, Source } from "../source/source.ts";
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

/** Tells every file of the source. `known` undefined: nothing was ever captured. */
export async function findings(
  source: Pick<Source, "list">,
  known: Known | undefined,
  settleMs: number,
  now: () => number,
  tell: (finding: Finding) => void,
): Promise<void> {
  /** Both come in the order of their bytes: what is passed over is missing. */
  const list = async (folder: Buffer): Promise<Listing> => {
    const beside = new Beside(known ?? NOTHING, folder, performance.now());
    const listing = await source.list(folder, (found) => {
      for (const one of found) tell(findingOf(one, beside.meet(one), known, settleMs, now()));
    });
    if (listing.unlisted !== undefined) tell(findingOf(listing.unlisted, undefined, known, settleMs, now()));
    const lost = beside.end(listing.folders);
    if (!listing.complete) return listing;
    for (const path of beside.missing)
      tell({ path: fromKey(path), what: "gone", reason: "it is no longer there" });
    for (const child of lost)
      for (const below of known?.foldersSeen(child) ?? [])
        for (const { path } of known?.seenIn(below) ?? [])
          tell({ path, what: "gone", reason: "its folder is no longer there" });
    return listing;
  };
  for await (const _ of walk(list, ROOT, new AbortController().signal));
}

const NOTHING: Pick<Known, "seenIn" | "childFolders"> = { seenIn: () => [], childFolders: () => [] };

function findingOf(
  found: Found,
  before: Seen | undefined,
  known: Known | undefined,
  settleMs: number,
  now: number,
): Finding {
  const { path } = found;
  if ("reason" in found)
    return found.code === undefined
      ? { path, what: "skipped", reason: found.reason }
      : { path, what: "held", reason: `${found.code}: ${found.reason}` };
  const { size } = found.state;
  if (before !== undefined && sameState(before.state, found.state))
    return { path, size, ...sealed(known?.standing(path).waiting) };
  if (found.held !== undefined) return { path, size, what: "held", reason: `file-unreadable: ${found.held}` };
  return { path, size, ...toSeal(found, before !== undefined, settleMs, now) };
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
