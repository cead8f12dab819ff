/**
 * Where to look, and when: hints gathered for an instant, folders to be looked at again, and the scan of everything.
 * Every way ends in the same comparison of what is there with what was sealed.
 */
import type { Report } from "../facts.ts";
import type { Intake, SourceBook } from "../queue/queue.ts";
import { Agenda } from "../settle/agenda.ts";
import { fromKey, key, parent, ROOT } from "../source/bytes.ts";
import type { Found, Listing, Source } from "../source/source.ts";
import { walk } from "../source/walk.ts";
import type { Comparison } from "./comparison.ts";
import { Histories } from "./histories.ts";
import { decider } from "./removals.ts";
import type { Schedule } from "./schedule.ts";
import { type Clocks, LONGEST_TIMER_MS, type Sealer } from "./sealer.ts";

export interface LookParts {
  readonly source: Source;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly sealer: Sealer;
  readonly comparison: Comparison;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly schedule: Schedule;
  /** On this host: what cannot be reached is looked through all the same, for what is there of it. */
  readonly near: boolean;
  readonly health: () => Promise<boolean>;
  /** By the last answer to `health`. */
  readonly reachable: () => boolean;
}

/** Events of one file come in showers; its last one counts. */
const GATHER_MS = 20;
const PARALLEL = 8;
/** More hints than this at once: a scan is cheaper, and loses none. */
const MOST_HINTS = 10_000;
/** A scan that a hint asked for does not follow the one before at once. */
const HINTED_SCAN_MS = 2_000;
/** A place that could not be reached is tried again soon at first, and never more rarely than this. */
const [AWAY_FIRST_MS, AWAY_LONGEST_MS] = [15_000, 300_000];
/** A host that slept, or whose clock was set, is late by no more than this. */
const TICK_MS = 60_000;

export class Looks {
  readonly #parts: LookParts;
  readonly #paths = new Agenda();
  readonly #folders = new Agenda();
  readonly #histories = new Histories();
  readonly #ended = new AbortController();
  #watching: Promise<() => Promise<void>> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #working: Promise<void> | undefined;
  #scanTimer: NodeJS.Timeout | undefined;
  #scanAt = Number.POSITIVE_INFINITY;
  #scanning: Promise<void> | undefined;
  files = 0;
  /** The last look saw all of it. */
  whole = true;
  /** Files that the rules do not take. */
  leftOut = 0;
  lastScanAt: number | undefined;
  /** ms since 1970; undefined: none is asked for yet. */
  nextScanAt: number | undefined;
  /** When the last one began, or ended in another run, ms since 1970; without any, when this run did. */
  #scannedFrom: number;
  /** In vain, one after the other. */
  #away = 0;

  constructor(parts: LookParts) {
    this.#parts = parts;
    this.#scannedFrom = parts.book.lastScanAt() ?? parts.clocks.wall();
  }

  begin(): void {
    const { schedule, book, clocks } = this.#parts;
    this.#scanWithin(schedule.firstMs(book.lastScanAt(), clocks.wall()));
  }

  watch(): void {
    this.#watching = this.#watch();
  }

  /** The root is there again, or another one: what was watched may be gone with what was mounted. */
  async rootIsBack(): Promise<void> {
    if (this.#watching !== undefined) {
      this.#watching = this.#watching.then(async (close) => {
        await close();
        return await this.#watch();
      });
      await this.#watching;
    }
    this.scanSoon();
  }

  async #watch(): Promise<() => Promise<void>> {
    const { source, report } = this.#parts;
    return await source.watch(
      (path) => {
        if (path === undefined || this.#paths.size >= MOST_HINTS) this.#scanWithin(HINTED_SCAN_MS);
        else this.path(path, GATHER_MS);
      },
      (reason) => report({ kind: "WatchFailed", source: source.name, reason }),
    );
  }

  path(path: Buffer, ms: number): void {
    const agenda = path.length === 0 ? this.#folders : this.#paths;
    agenda.setEarliest(key(path), this.#parts.clocks.steady() + ms);
    this.#arm();
  }

  folder(folder: Buffer, ms: number): void {
    this.#folders.setEarliest(key(folder), this.#parts.clocks.steady() + ms);
    this.#arm();
  }

  scanSoon(): void {
    this.#scanWithin(0);
  }

  /** Something was left to a scan. */
  scanLater(): void {
    this.#scanWithin(HINTED_SCAN_MS);
  }

  get scanning(): boolean {
    return this.#scanning !== undefined;
  }

  async scanNow(): Promise<void> {
    await this.#scanning;
    await this.#scan();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#scanTimer);
    const closed = this.#watching?.then((close) => close());
    await Promise.all([closed, this.#scanning, this.#working]);
  }

  #arm(): void {
    const next = Math.min(this.#paths.next() ?? Infinity, this.#folders.next() ?? Infinity);
    if (next >= this.#timerAt || this.#working !== undefined || this.#ended.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#working = this.#tolerant(() => this.#work()).finally(() => {
          this.#working = undefined;
          this.#arm();
        });
      },
      Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(next - this.#parts.clocks.steady()))),
    );
  }

  /** Without room nothing can be noted; what was found is found again by the next scan. */
  async #tolerant(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
      this.#parts.book.problem(ROOT, "disk-full", (error as Error).message, this.#parts.clocks.wall());
      this.#scanWithin(HINTED_SCAN_MS);
    }
  }

  async #work(): Promise<void> {
    const now = this.#parts.clocks.steady();
    const paths = this.#paths.take(now);
    const lane = async (): Promise<void> => {
      for (let path = paths.shift(); path !== undefined && !this.#ended.signal.aborted; path = paths.shift())
        await this.#lookAt(fromKey(path));
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, paths.length) }, lane));
    for (const folder of this.#folders.take(now)) {
      if (this.#ended.signal.aborted) return;
      await this.#listed(fromKey(folder), false);
    }
  }

  async #lookAt(path: Buffer): Promise<void> {
    const { source, sealer, intake, comparison } = this.#parts;
    const told = this.#histories.of(path, intake.seen(path));
    const look = told ?? (await source.look(path));
    if (told === undefined) this.#histories.keep(path, look, intake.seen(path));
    switch (look.kind) {
      case "file":
        return comparison.file(path, look, intake.seen(path));
      case "folder":
        for await (const _ of walk((folder) => this.#listed(folder, false), path, this.#ended.signal));
        // What lay there before may be missing now.
        return this.folder(parent(path), GATHER_MS);
      case "gone":
        sealer.drop(path);
        return this.folder(parent(path), GATHER_MS);
      case "away":
        // Whatever is there is found by the next look at everything.
        return;
      case "unseen":
        comparison.unseen(look.unseen);
        if (look.unseen.absent && this.#knows(path)) this.folder(parent(path), GATHER_MS);
        return;
    }
  }

  /** Whether anything of this path, or below it, was sealed. */
  #knows(path: Buffer): boolean {
    const { intake } = this.#parts;
    return intake.seen(path) !== undefined || !intake.foldersSeen(path)[Symbol.iterator]().next().done;
  }

  /** Only a scan waits while too many files are waited for: a hint never does, what it cannot take is left to a scan. */
  async #listed(folder: Buffer, patient: boolean, met?: (found: Found) => void): Promise<Listing> {
    const look = { ended: this.#ended.signal, patient, ...(met === undefined ? {} : { met }) };
    const listing = await this.#parts.comparison.folder(folder, look);
    const decides = decider(listing);
    if (decides !== undefined) this.folder(decides, GATHER_MS);
    return listing;
  }

  #scanWithin(ms: number): void {
    const { clocks } = this.#parts;
    const at = clocks.steady() + ms;
    if (at >= this.#scanAt || this.#ended.signal.aborted) return;
    this.#scanAt = at;
    this.#armScan();
  }

  #armScan(): void {
    const { clocks } = this.#parts;
    const ms = Math.max(0, this.#scanAt - clocks.steady());
    this.nextScanAt = clocks.wall() + ms;
    clearTimeout(this.#scanTimer);
    this.#scanTimer = setTimeout(() => this.#tick(), Math.min(Math.ceil(ms), TICK_MS));
  }

  #tick(): void {
    const { clocks, schedule } = this.#parts;
    if (clocks.steady() >= this.#scanAt) return void this.#scan();
    // A time of day may have come sooner than it seemed.
    this.#scanWithin(schedule.nextMs(this.#scannedFrom, clocks.wall()));
    this.#armScan();
  }

  async #scan(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    // Before anything else: a time that has passed would keep every later scan from being asked for.
    clearTimeout(this.#scanTimer);
    this.#scanAt = Number.POSITIVE_INFINITY;
    if (this.#scanning !== undefined) {
      await this.#scanning;
      return this.#scanWithin(HINTED_SCAN_MS);
    }
    this.#scanning = this.#tolerant(() => this.#scanAll()).finally(() => {
      this.#scanning = undefined;
      this.#scanWithin(this.#restMs());
    });
    await this.#scanning;
  }

  /** Until the next one. */
  #restMs(): number {
    const { schedule, clocks } = this.#parts;
    const now = clocks.wall();
    const planned = schedule.nextMs(this.#scannedFrom, now);
    if (this.#away === 0) return planned;
    return Math.min(planned, AWAY_LONGEST_MS, AWAY_FIRST_MS * 2 ** (this.#away - 1));
  }

  async #scanAll(): Promise<void> {
    const { source, sealer, report, clocks, book, health, near, reachable } = this.#parts;
    const began = clocks.steady();
    this.#scannedFrom = clocks.wall();
    const problems = new Set([...book.problems()].map(({ path }) => key(path)));
    problems.delete(key(ROOT));
    await health();
    if (!near && !reachable()) {
      this.#away += 1;
      return;
    }
    let [files, leftOut, folders, complete, cut] = [0, 0, 0, true, false];
    const met = (found: Found): void => {
      if (!("reason" in found)) files += 1;
      else if (found.code === undefined && found.absent !== true) leftOut += 1;
      if (problems.size > 0) problems.delete(key(found.path));
    };
    const list = (folder: Buffer): Promise<Listing> => this.#listed(folder, true, met);
    for await (const listing of walk(list, ROOT, this.#ended.signal)) {
      folders += 1;
      complete &&= listing.complete;
      cut ||= !near && !listing.complete && listing.unlisted === undefined;
      for (const path of [listing.folder, ...(listing.own ?? [])]) problems.delete(key(path));
    }
    if (this.#ended.signal.aborted) return;
    if (cut) {
      // It went away in between: that was no look at everything, and the next one comes soon.
      this.#away += 1;
      await health();
      return;
    }
    this.#away = 0;
    // A whole scan did not meet them: with the file its problem is gone, too.
    if (complete) for (const path of problems) sealer.recovered(fromKey(path));
    if (complete) sealer.giveUpOthers();
    for (const { path, code } of book.problems())
      if (path.length === 0 && code === "disk-full") book.recovered(ROOT);
    this.files = files;
    this.whole = complete;
    this.leftOut = leftOut;
    this.lastScanAt = clocks.wall();
    book.scanFinished(this.lastScanAt, files);
    report({
      kind: "ScanFinished",
      source: source.name,
      files,
      folders,
      ms: Math.round(clocks.steady() - began),
      complete,
    });
  }
}
