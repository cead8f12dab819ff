/**
 * From missing to removal. A removal is sealed only when two complete looks at the containing folder, some time apart,
 * missed the file, the root was the healthy, recorded one at both, the rules still take the path, and no action of our
 * own took it away. Everything else removes nothing.
 */
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Report } from "../facts.ts";
import type { Beside } from "../queue/beside.ts";
import { ENDED, type Intake, type RemovalParcel, type Seen, type SourceBook } from "../queue/queue.ts";
import { fromKey, key, parent, within } from "../source/bytes.ts";
import type { Found, Listing, Source } from "../source/source.ts";
import type { Batch } from "./batch.ts";
import type { Clocks } from "./sealer.ts";

/** In place of a count of misses: an `after:` action of ours is taking the file away; when it is missing, that was us. */
export const TAKEN_BY_US = 2;

/** Files that are decided about at once; as many as one commit of removals takes. */
const AT_ONCE = 500;

export interface RemovalParts {
  readonly source: Source;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly batch: Batch;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly makeUuid: MakeUuid;
  /** Files are taken away once they are delivered, by this agent or another one that has the source. */
  readonly taken: boolean;
  /** Between the two looks, ms. `empty`: the source shows nothing at all, as one does whose server has not mounted its disk. */
  readonly gapMs: (empty: boolean) => number;
  /** Whether the root is healthy and the recorded one. */
  readonly rootStands: () => Promise<boolean>;
  readonly lookAtFolder: (folder: Buffer, ms: number) => void;
}

/** A look at the folder whose listing decides. */
interface FolderLook {
  readonly folder: Buffer;
  readonly began: number;
  readonly gapMs: number;
}

export class Removals {
  readonly #parts: RemovalParts;
  /** When a missing path was first missed by this process, on the steady clock. */
  readonly #missedAt = new Map<string, number>();

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** It is there, in whatever listing. */
  met(found: Found): void {
    if (this.#missedAt.size > 0 && !("reason" in found && found.absent))
      this.#missedAt.delete(key(found.path));
  }

  /** What a complete listing says about what is not in it. `lost`: folders that hold known files, and are not there. */
  async conclude(listing: Listing, beside: Beside, lost: readonly Buffer[]): Promise<void> {
    const { missing, back, began } = beside;
    const bare = listing.folder.length === 0 && beside.empty && listing.folders.length === 0;
    const look: FolderLook = { folder: listing.folder, began, gapMs: this.#parts.gapMs(bare) };
    if (!listing.complete || (listing.own?.length ?? 0) > 0) return;
    this.#parts.intake.missed(back, 0);
    if (missing.length === 0 && lost.length === 0) return;
    if (!(await this.#parts.rootStands())) return;
    if (missing.length > 0 && (await this.#mountsStand(listing.folder, false)))
      await this.#allMissed(look, missing.map(fromKey));
    for (const child of lost) {
      if (!(await this.#mountsStand(child, true))) continue;
      for (const folder of this.#parts.intake.foldersSeen(child))
        await this.#allMissed(look, pathsOf(this.#parts.intake.seenIn(folder)));
    }
  }

  /** Every file system that was mounted around this folder (or, for a folder that is missing, in it) is still the one that it was. */
  async #mountsStand(folder: Buffer, missing: boolean): Promise<boolean> {
    const { book, source, clocks, report } = this.#parts;
    for (const { path, device } of book.mounts()) {
      if (!within(folder, path) && !(missing && within(path, folder))) continue;
      const look = await source.look(path);
      if (look.kind === "folder" && look.mount === device) continue;
      const detail =
        "what was mounted here is not there; nothing is removed until it is back, or add-folder is run again";
      if (book.problem(path, "root-changed", detail, clocks.wall()))
        report({ kind: "FileHeldBack", source: source.name, path, code: "root-changed", detail });
      return false;
    }
    return true;
  }

  /** Some at a time, and as they are known now: what was sealed or taken away meanwhile says so. */
  async #allMissed(look: FolderLook, paths: Iterable<Buffer>): Promise<void> {
    let some: Seen[] = [];
    for (const path of paths) {
      const known = this.#parts.intake.seen(path);
      if (known !== undefined) some.push(known);
      if (some.length < AT_ONCE) continue;
      await this.#missed(look, some);
      some = [];
    }
    await this.#missed(look, some);
  }

  async #missed({ folder, began, gapMs }: FolderLook, missing: readonly Seen[]): Promise<void> {
    const { intake, source, clocks } = this.#parts;
    const now = clocks.steady();
    const first: Buffer[] = [];
    const decided: Seen[] = [];
    let again = Number.POSITIVE_INFINITY;
    for (const known of missing) {
      // The source keeps no trace of it any more: whatever comes under this name is new.
      if (known.missed === TAKEN_BY_US || known.missed === ENDED) {
        intake.forget(known.path);
        continue;
      }
      if (!source.takes(known.path)) continue;
      const since = this.#missedAt.get(key(known.path));
      // Sealed since it was last missed: it was there in between, and the two looks begin anew.
      if (since === undefined || known.missed === 0) first.push(known.path);
      // The second look must have begun after the first was over: two that overlap may both be older than the file.
      else if (began - since >= gapMs) decided.push(known);
      else again = Math.min(again, since + gapMs - now);
    }
    for (const path of first) this.#missedAt.set(key(path), now);
    intake.missed(first, 1);
    if (first.length > 0) again = Math.min(again, gapMs);
    if (again !== Number.POSITIVE_INFINITY) this.#parts.lookAtFolder(folder, again);
    await Promise.all(decided.map((known) => this.#remove(known)));
  }

  async #remove({ path }: Seen): Promise<void> {
    const { intake, batch, report, source } = this.#parts;
    const standing = intake.standing(path);
    if (!standing.delivered && standing.waiting === "in-place") return;
    this.#missedAt.delete(key(path));
    // Another agent took it away before this one took the source over.
    if (this.#parts.taken && standing.current) return intake.forget(path);
    if (!standing.delivered && standing.waiting === "none") {
      intake.forget(path);
      report({ kind: "FileVanishedUnsent", source: source.name, path });
      return;
    }
    const parcel = removalOf(this.#parts, path);
    if (await batch.put({ parcel, seen: undefined }))
      report({ kind: "RemovalSealed", source: source.name, path, captureId: parcel.captureId });
  }
}

export function removalOf(
  { intake, makeUuid, clocks }: Pick<RemovalParts, "intake" | "makeUuid" | "clocks">,
  path: Buffer,
  endedNs?: bigint,
): RemovalParcel {
  return {
    kind: "removal",
    captureId: makeUuid(),
    client: intake.client,
    source: intake.source,
    path,
    sealedAt: new Date(clocks.corrected()).toISOString(),
    ...(endedNs === undefined ? {} : { endedNs }),
  };
}

function* pathsOf(seen: Iterable<Seen>): Generator<Buffer> {
  for (const { path } of seen) yield path;
}

/** Whose listing decides about a folder that vanished. */
export function decider(listing: Listing): Buffer | undefined {
  return listing.vanished && listing.folder.length > 0 ? parent(listing.folder) : undefined;
}
