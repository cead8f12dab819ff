/** What is there is compared with what was sealed: what differs is to be sealed, what is missing may be a removal. */
import { displayPath } from "@tributary/shared/path.ts";
import type { Report } from "../facts.ts";
import { Beside } from "../queue/beside.ts";
import { ENDED, type Intake, type Seen, type SourceBook } from "../queue/queue.ts";
import { mayHaveChangedUnseen } from "../settle/settle.ts";
import { key } from "../source/bytes.ts";
import { sameState } from "../source/same-state.ts";
import type { Found, Listing, Source, Unseen } from "../source/source.ts";
import type { FileFacts } from "../source/state.ts";
import type { AfterActions } from "./after-actions.ts";
import type { Asides } from "./asides.ts";
import type { Ends } from "./ends.ts";
import { heldOf, isBrought, type Next, nextOf } from "./past.ts";
import type { Removals } from "./removals.ts";
import type { Clocks, Sealer } from "./sealer.ts";

export interface ComparisonParts {
  readonly source: Source;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly sealer: Sealer;
  readonly removals: Removals | undefined;
  readonly after: AfterActions | undefined;
  readonly asides: Asides;
  readonly ends: Ends;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly rehashMs: number | undefined;
  readonly lookAgain: (path: Buffer, ms: number) => void;
}

export interface FolderLook {
  /** Nothing more is compared. */
  readonly ended: AbortSignal;
  /** Waits while too many files are waited for: for a scan. Without, those are left to a scan. */
  readonly patient: boolean;
  readonly met?: (found: Found) => void;
}

/** Beyond this it may be said twice. */
const MOST_TOLD = 10_000;

export class Comparison {
  readonly #parts: ComparisonParts;
  /** Before which versions it was said that others are passed over. */
  readonly #told = new Set<string>();

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
  }

  async folder(folder: Buffer, look: FolderLook): Promise<Listing> {
    const { source, intake, removals, after, asides, clocks } = this.#parts;
    const beside = new Beside(intake, folder, clocks.steady());
    const began = clocks.wall();
    const listing = await source.list(folder, (found) => this.#found(found, beside, look, began));
    if (look.ended.aborted) return listing;
    if (listing.unlisted !== undefined) this.unseen(listing.unlisted);
    const lost = beside.end(listing.folders);
    this.#mounted(listing);
    if (!after?.isActingIn(folder)) await asides.recover(listing, beside.missing);
    await removals?.conclude(listing, beside, lost);
    return listing;
  }

  file(path: Buffer, { state: now, past, held }: FileFacts, seen: Seen | undefined): void {
    const { source, sealer, clocks, rehashMs, after, ends } = this.#parts;
    const next = past && nextOf(past, seen);
    if (next !== undefined && next.passed.length > 0) this.#passed(path, next);
    if (next?.deleted && seen !== undefined) return void ends.end(path, next.state, seen);
    const state = next?.state ?? now;
    const asSealed = seen !== undefined && seen.missed !== ENDED && sameState(seen.state, state);
    // Also of what is at its end by now: it would be brought with its end.
    const waits = next !== undefined || asSealed ? undefined : past === undefined ? held : heldOf(past, seen);
    if (waits !== undefined) {
      this.unseen({ path, reason: waits, code: "file-unreadable" });
      return;
    }
    // It is at its end, and that was brought.
    if (next === undefined && past?.at(-1)?.deleted) {
      sealer.drop(path);
      sealer.recovered(path);
      return;
    }
    const stale = asSealed && rehashMs !== undefined && clocks.wall() - seen.sealedAt >= rehashMs;
    const inDoubt = stale || (asSealed && mayHaveChangedUnseen(source.tells, state, seen.sealedAt));
    if (!asSealed || (inDoubt && held === undefined)) {
      sealer.sighted(path, state, past !== undefined);
      return;
    }
    sealer.drop(path);
    if (after === undefined) sealer.recovered(path);
    else after.delivered(path);
  }

  /** A version that is passed over is gone for good: the next one is behind it. */
  #passed(path: Buffer, { passed: reasons, state }: Next): void {
    const { report, source } = this.#parts;
    const at = `${key(path)}\0${state.fileId}`;
    if (this.#told.has(at)) return;
    if (this.#told.size >= MOST_TOLD) this.#told.clear();
    this.#told.add(at);
    const versions = reasons.length === 1 ? "an older version" : `${reasons.length} older versions`;
    const detail = `${displayPath(path)}: ${versions} cannot be had, and newer ones do not wait: ${reasons[0]}`;
    report({ kind: "SourceWarned", source: source.name, detail });
  }

  unseen({ path, code, reason }: Unseen): void {
    const { sealer, book, report, source, clocks } = this.#parts;
    sealer.drop(path);
    if (code !== undefined && book.problem(path, code, reason, clocks.wall()))
      report({ kind: "FileHeldBack", source: source.name, path, code, detail: reason });
  }

  async #found(
    found: readonly Found[],
    beside: Beside,
    { ended, patient, met }: FolderLook,
    began: number,
  ): Promise<void> {
    const { sealer, removals } = this.#parts;
    for (const one of found) {
      if (patient && sealer.full) await sealer.room();
      if (ended.aborted) return;
      met?.(one);
      const seen = beside.meet(one);
      if ("reason" in one) this.unseen(one);
      else if (one.past === undefined || isBrought(one.past, seen)) this.file(one.path, one, seen);
      else this.#bringOn(one.path, one, began);
      removals?.met(one);
    }
  }

  /** What was brought since this look began may be younger than what was listed: it would be brought twice. */
  #bringOn(path: Buffer, facts: FileFacts, began: number): void {
    const seen = this.#parts.intake.seen(path);
    if (seen !== undefined && seen.sealedAt >= began) this.#parts.lookAgain(path, 0);
    else this.file(path, facts, seen);
  }

  #mounted(listing: Listing): void {
    const { book, sealer } = this.#parts;
    if (!listing.complete) return;
    if (listing.mount !== undefined) book.recordMount(listing.folder, listing.mount);
    const away = book.mounts().some((m) => m.path.equals(listing.folder) && m.device !== listing.mount);
    if (!away) sealer.recovered(listing.folder);
  }
}
