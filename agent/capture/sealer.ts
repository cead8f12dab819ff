/**
 * From sighting to parcel, for one source: waits until a file holds still, seals it, puts it into the queue. At most
 * `most` files are waited for: a scan waits for room, what a hint brings meanwhile is left to a scan. Whatever fails is
 * kept visible, tried again later, and blocks nobody else.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Report } from "../facts.ts";
import type { Intake, Seen, SourceBook, VersionParcel } from "../queue/queue.ts";
import type { Fetches } from "../seal/fetches.ts";
import type { FreshBytes } from "../seal/fresh.ts";
import type { Lanes } from "../seal/lanes.ts";
import type { PartHasher } from "../seal/part-hasher.ts";
import { type SealOrder, type SealResult, seal } from "../seal/seal.ts";
import type { Room } from "../seal/spool.ts";
import { stillThere } from "../seal/still-there.ts";
import { Agenda } from "../settle/agenda.ts";
import {
  mayHaveChangedUnseen,
  type SettleRules,
  type Settling,
  settle,
  stateAfterSnapshot,
} from "../settle/settle.ts";
import { fromKey, key, ROOT } from "../source/bytes.ts";
import type { Source } from "../source/source.ts";
import { COARSE_MS, type FileState } from "../source/state.ts";
import type { Batch } from "./batch.ts";

export interface Clocks {
  /** ms of the host's clock. */
  readonly wall: () => number;
  /** ms of a clock that never jumps. */
  readonly steady: () => number;
  /** ms of the receiver's clock, as far as it is known. */
  readonly corrected: () => number;
}

export interface SealerParts {
  readonly source: Source;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly batch: Batch;
  readonly lanes: Lanes;
  readonly partHasher: PartHasher;
  readonly spool: Room;
  readonly fresh: FreshBytes;
  /** Where a half-read file is worth keeping. */
  readonly fetches: Fetches | undefined;
  readonly copy: boolean;
  /** Asked for each look: what a server tells may be known only once it has answered. */
  readonly rules: () => SettleRules;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly makeUuid: MakeUuid;
  /** Look at this path again after `ms`: it may have changed without a trace, or while it was sealed. */
  readonly lookAgain: (path: Buffer, ms: number) => void;
  /** Files that are waited for at most. */
  readonly most: number;
  /** A file was turned away because too many are waited for, and there is room again. */
  readonly roomAgain: () => void;
  /** Nothing of the source can be had, or something again: find out how it is. */
  readonly askRoot: () => void;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;
const SPOOL_RETRY_MS = 1_000;
/** What waits for a source that is away asks it for nothing: it finds out by the next look at it. */
const AWAY_RETRY_MS = 5_000;
/** So often a file may be the first to find its place away. */
const OWN_FAULT = 3;
/** A timer beyond 31 bits would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Sealer {
  readonly #parts: SealerParts;
  readonly #settling = new Map<string, Settling>();
  readonly #agenda = new Agenda();
  /** Being sealed or stored: until then a new sighting is only noted, as true. */
  readonly #sealing = new Map<string, boolean>();
  readonly #failures = new Map<string, number>();
  /** Those of `settling` that cannot be read, or never rest. */
  readonly #hard = new Set<string>();
  /** Of which the source keeps versions: after each the next one is looked for. */
  readonly #more = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #roomFor: (() => void)[] = [];
  #turnedAway = false;
  /** The last file that was tried could not be had because nothing could. */
  #away = false;
  readonly #stopping = new AbortController();

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  get settling(): number {
    return this.#settling.size;
  }

  /** Of those: being read, or about to be, or being stored. */
  get sealing(): number {
    return this.#sealing.size;
  }

  /** What cannot be read, and what never rests, takes no room from what can be sealed. */
  get full(): boolean {
    return this.#settling.size - this.#hard.size >= this.#parts.most;
  }

  /** For a scan: resolves when another file can be waited for. */
  async room(): Promise<void> {
    while (this.full && !this.#stopping.signal.aborted)
      await new Promise<void>((resolve) => this.#roomFor.push(resolve));
  }

  /** The file was seen in a state that is not the sealed one (or must be read again). `more`: others of it may come behind this one. */
  sighted(path: Buffer, state: FileState, more = false): void {
    const at = key(path);
    if (more) this.#more.add(at);
    if (this.#sealing.has(at)) this.#sealing.set(at, true);
    else if (this.full && !this.#settling.has(at)) this.#turnedAway = true;
    else this.#take(at, state);
  }

  /** It is not to be waited for any more: gone, left out, or as it was. */
  drop(path: Buffer): void {
    const at = key(path);
    if (this.#sealing.has(at)) this.#sealing.set(at, true);
    else this.#forget(at);
  }

  /** After a look at everything: what was half read and is not waited for will not become whole any more. */
  giveUpOthers(): void {
    for (const { path } of this.#parts.fetches?.all() ?? [])
      if (!this.#settling.has(key(path)) && !this.#sealing.has(key(path))) this.#giveUp(path);
  }

  #giveUp(path: Buffer): void {
    const { fetches, spool } = this.#parts;
    const fetch = fetches?.get(path);
    if (fetch === undefined) return;
    fetches?.forget(path);
    void spool.release(fetch.spooled);
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const resolve of this.#roomFor.splice(0)) resolve();
  }

  #take(at: string, state: FileState): void {
    const step = settle(this.#settling.get(at), state, this.#parts.clocks.steady(), this.#parts.rules());
    this.#settling.set(at, step.next);
    if (step.restless) this.#restless(at, step.next);
    if (step.next.reported && step.act === "wait" && this.#isTooHard(at)) return;
    if (step.act === "wait") {
      this.#wait(at, step.due);
      return;
    }
    this.#agenda.delete(at);
    this.#seal(at, { path: fromKey(at), state, snapshot: step.act === "snapshot" });
  }

  #restless(at: string, settling: Settling): void {
    const seconds = Math.round((this.#parts.clocks.steady() - settling.first) / 1000);
    this.#problem(
      at,
      "file-restless",
      `it has been changing for ${seconds} s; it is captured when it holds still`,
    );
  }

  #wait(at: string, due: number): void {
    this.#agenda.set(at, due);
    this.#arm();
  }

  #arm(): void {
    const next = this.#agenda.next();
    if (next === undefined || next >= this.#timerAt || this.#stopping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    const pause = Math.max(0, Math.ceil(next - this.#parts.clocks.steady()));
    this.#timer = setTimeout(() => this.#due(), Math.min(pause, LONGEST_TIMER_MS));
  }

  #due(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    for (const at of this.#agenda.take(this.#parts.clocks.steady())) {
      const waited = this.#settling.get(at);
      // The second look is the opening itself: `seal` compares before it reads.
      if (waited === undefined) continue;
      // Asked before the file is opened: thousands may wait for room, for as long as an outage lasts.
      if (this.#parts.copy && !this.#parts.spool.fits(waited.state.size)) this.#spoolFull(at);
      else this.#seal(at, { path: fromKey(at), state: waited.state, snapshot: false });
    }
    this.#arm();
  }

  #seal(at: string, order: SealOrder): void {
    this.#sealing.set(at, false);
    this.#parts.lanes.add({
      size: order.state.size,
      run: async (buffer) => {
        // What is changed once the reading has begun may be in it or not.
        const began = this.#parts.clocks.wall();
        const spool = this.#parts.copy || order.snapshot ? this.#parts.spool : undefined;
        const known = this.#parts.source.tells.contentIds ? this.#parts.intake.seen(order.path) : undefined;
        try {
          const result = await seal(
            this.#parts.source,
            { ...order, known: known?.missed === 0 ? known.state : undefined },
            spool,
            {
              buffer,
              partHasher: this.#parts.partHasher,
              stop: this.#stopping.signal,
              ...(this.#parts.fetches === undefined ? {} : { fetches: this.#parts.fetches }),
            },
          );
          this.#sealed(at, order, result, began);
        } catch (error) {
          this.#sealing.delete(at);
          if ((error as { code?: unknown }).code !== "disk-full") throw error;
          // From far away it begins anew each time: not every two seconds.
          const afterMs = this.#parts.fetches === undefined ? SPOOL_RETRY_MS * 2 : undefined;
          this.#retry(at, "disk-full", (error as Error).message, afterMs);
        }
      },
    });
  }

  #sealed(at: string, order: SealOrder, result: SealResult, began: number): void {
    if (this.#away && result.kind !== "away" && result.kind !== "stopped") {
      this.#away = false;
      this.#parts.askRoot();
    }
    switch (result.kind) {
      case "sealed":
        // The lane goes on: the more sealings meet in one commit, the fewer times the disk is waited for.
        if (order.snapshot || this.#parts.source.tells.staleMs === 0)
          void this.#store(at, order, result, began);
        else void this.#confirm(at, order, result, began);
        return;
      case "known":
        void this.#known(at, order.path, result.state);
        return;
      case "changed":
        this.#sealing.delete(at);
        this.#take(at, result.state);
        return;
      case "gone":
        this.#sealing.delete(at);
        this.#forget(at);
        this.#giveUp(order.path);
        this.#parts.lookAgain(order.path, 0);
        return;
      case "unseen":
        this.#sealing.delete(at);
        if (result.unseen.code === undefined) this.#forget(at);
        else this.#retry(at, result.unseen.code, result.unseen.reason, undefined);
        if (result.unseen.absent) this.#parts.lookAgain(order.path, 0);
        return;
      case "spool-full":
        this.#sealing.delete(at);
        this.#spoolFull(at);
        return;
      case "away":
        this.#sealing.delete(at);
        this.#placeAway(at, result.reason);
        return;
      case "stopped":
        this.#sealing.delete(at);
        return;
    }
  }

  /** Where looks may be old, what was read counts once a look that is not tells the same. */
  async #confirm(
    at: string,
    order: SealOrder,
    result: SealResult & { kind: "sealed" },
    began: number,
  ): Promise<void> {
    const { source, spool } = this.#parts;
    const { signal } = this.#stopping;
    const stopped = await sleep(source.tells.staleMs, false, { signal }).catch(() => true);
    const other = stopped ? { kind: "stopped" as const } : await stillThere(source, order.path, result.state);
    if (other === undefined) return await this.#store(at, order, result, began);
    if (result.spooled !== undefined) await spool.release(result.spooled);
    this.#sealed(at, order, other, began);
  }

  /** One that finds the place away again and again, when others were just had, is the trouble itself. */
  #placeAway(at: string, reason: string): void {
    const first = !this.#away;
    this.#away = true;
    this.#parts.askRoot();
    const failures = (this.#failures.get(at) ?? 0) + 1;
    if (first && failures >= OWN_FAULT) {
      this.#retry(at, "file-unreadable", reason, undefined);
      return;
    }
    if (first) this.#failures.set(at, failures);
    // The others are asked for before it.
    this.#wait(at, this.#parts.clocks.steady() + (first ? 2 : 1) * AWAY_RETRY_MS);
  }

  /** Only how it is told is new. */
  async #known(at: string, path: Buffer, state: FileState): Promise<void> {
    const { intake, batch, clocks } = this.#parts;
    const before = intake.seen(path);
    const seen = before && { ...before, state, sealedAt: clocks.wall(), missed: 0 };
    const stored = seen === undefined || (await batch.put({ parcel: undefined, seen }));
    const [moved, more] = [this.#sealing.get(at) === true, this.#more.has(at)];
    this.#sealing.delete(at);
    this.#forget(at);
    if (!stored) return;
    this.recovered(path);
    if (moved || more) this.#parts.lookAgain(path, 0);
  }

  #spoolFull(at: string): void {
    this.#retry(
      at,
      "spool-full",
      "the spool has reached its bound, or this source its share of it; it is captured when copies have left, or raise limits.spool",
      SPOOL_RETRY_MS,
    );
  }

  async #store(
    at: string,
    order: SealOrder,
    result: SealResult & { kind: "sealed" },
    sealedAt: number,
  ): Promise<void> {
    const { intake, clocks, report, source, spool } = this.#parts;
    const { path, snapshot } = order;
    const before = intake.seen(path);
    const state = snapshot ? stateAfterSnapshot(source.tells, result.state) : result.state;
    const seen: Seen = { path, state, sha256: result.sha256, sealedAt, missed: 0 };
    const touched = before !== undefined && before.sha256 === result.sha256 && before.missed === 0;
    const parcel: VersionParcel | undefined = touched
      ? undefined
      : {
          kind: "version",
          captureId: this.#parts.makeUuid(),
          client: intake.client,
          source: intake.source,
          path,
          sealedAt: new Date(clocks.corrected()).toISOString(),
          state:
            result.modifiedNs === undefined ? result.state : { ...result.state, mtimeNs: result.modifiedNs },
          sha256: result.sha256,
          partDigests: result.partDigests,
          spooled: result.spooled,
        };
    if (touched && result.spooled !== undefined) await spool.release(result.spooled);
    // Before the courier can hear of it.
    if (parcel !== undefined && result.bytes !== undefined)
      this.#parts.fresh.keep(parcel.captureId, result.bytes);
    const stored = await this.#parts.batch.put(parcel === undefined ? { parcel, seen } : { parcel, seen });
    const moved = this.#sealing.get(at) === true || this.#more.has(at);
    this.#sealing.delete(at);
    this.#forget(at);
    if (!stored) {
      // Another capture of this source may follow in this process: nothing would ever free it.
      if (parcel?.spooled !== undefined) await spool.release(parcel.spooled);
      return;
    }
    this.recovered(path);
    if (parcel !== undefined)
      report({
        kind: "ParcelSealed",
        source: source.name,
        path,
        captureId: parcel.captureId,
        size: result.state.size,
        snapshot,
      });
    // A clock that is coarse may hide a change; and what is as it was may have an action due.
    if (moved || touched || state.size < 0) this.#parts.lookAgain(path, 0);
    if (mayHaveChangedUnseen(source.tells, result.state, sealedAt)) this.#parts.lookAgain(path, COARSE_MS);
  }

  #retry(at: string, code: ProblemCode, detail: string, afterMs: number | undefined): void {
    this.#problem(at, code, detail);
    const now = this.#parts.clocks.steady();
    if (afterMs !== undefined) {
      this.#wait(at, now + afterMs);
      return;
    }
    const failures = (this.#failures.get(at) ?? 0) + 1;
    this.#failures.set(at, failures);
    if (this.#isTooHard(at)) return;
    this.#wait(at, now + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10)));
  }

  /** Too many to remember: its problem stays visible, and each scan tries it again. */
  #isTooHard(at: string): boolean {
    this.#hard.add(at);
    const tooMany = this.#hard.size > this.#parts.most;
    if (tooMany) this.#forget(at);
    else this.#giveRoom();
    return tooMany;
  }

  #giveRoom(): void {
    if (this.full) return;
    for (const resolve of this.#roomFor.splice(0)) resolve();
    if (!this.#turnedAway) return;
    this.#turnedAway = false;
    this.#parts.roomAgain();
  }

  #problem(at: string, code: ProblemCode, detail: string): void {
    const path = fromKey(at);
    const { book, report, source, clocks } = this.#parts;
    if (book.problem(path, code, detail, clocks.wall()))
      report({ kind: "FileHeldBack", source: source.name, path, code, detail });
  }

  /** Says so when there was a problem with it. */
  recovered(path: Buffer): void {
    this.#failures.delete(key(path));
    if (path.length > ROOT.length && this.#parts.book.recovered(path))
      this.#parts.report({ kind: "FileRecovered", source: this.#parts.source.name, path });
  }

  #forget(at: string): void {
    this.#settling.delete(at);
    this.#agenda.delete(at);
    this.#failures.delete(at);
    this.#hard.delete(at);
    this.#more.delete(at);
    this.#giveRoom();
  }
}
