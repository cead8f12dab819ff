/**
 * Capture of one source: hints say where to look, scans are the truth, what holds still is sealed, what is missing
 * twice is a removal. This file only ties the rooms together; every decision is made in one of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type MakeUuid, uuidv7 } from "@tributary/shared/uuid.ts";
import type { Report } from "../facts.ts";
import type { Ended } from "../queue/outbox.ts";
import { ENDED, type Intake, type SourceBook } from "../queue/queue.ts";
import type { Fetches } from "../seal/fetches.ts";
import type { FreshBytes } from "../seal/fresh.ts";
import { Lanes } from "../seal/lanes.ts";
import type { PartHasher } from "../seal/part-hasher.ts";
import type { Spool } from "../seal/spool.ts";
import { settleTime } from "../settle/settle.ts";
import { parent, ROOT } from "../source/bytes.ts";
import type { RootHealth, Source } from "../source/source.ts";
import { AfterActions } from "./after-actions.ts";
import { Asides } from "./asides.ts";
import { Batch } from "./batch.ts";
import { Comparison } from "./comparison.ts";
import { Ends } from "./ends.ts";
import { Looks } from "./looks.ts";
import { Removals } from "./removals.ts";
import { Root } from "./root.ts";
import type { CaptureRules } from "./rules.ts";
import { type Clocks, Sealer } from "./sealer.ts";
import { whyNothing } from "./standing.ts";

export interface CaptureParts {
  readonly source: Source;
  readonly rules: CaptureRules;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly spool: Spool;
  readonly fresh: FreshBytes;
  readonly fetches: Fetches;
  readonly partHasher: PartHasher;
  /** The queue's: parcels that ended, of all sources. */
  readonly onEnd: (listener: (ends: readonly Ended[]) => void) => () => void;
  readonly report: Report;
  /** ms of the receiver's clock, as far as it is known. */
  readonly corrected: () => number;
  readonly clocks?: Omit<Clocks, "corrected">;
  readonly makeUuid?: MakeUuid;
  /** Files that are waited for at most; 10,000. */
  readonly most?: number;
}

/** What heartbeat and status say of a source; `lastScanAt` in ms. */
export interface CaptureState {
  readonly reachable: boolean;
  /** Why it cannot be reached, or why nothing comes of it all the same; see `whyNothing`. */
  readonly reason: string | undefined;
  readonly files: number;
  readonly settling: number;
  /** Of those that are waited for. */
  readonly sealing: number;
  readonly lastScanAt: number | undefined;
  /** When it is looked through again, ms since 1970. */
  readonly nextScanAt: number | undefined;
  readonly problems: number;
}

export interface Capture {
  /** Ends what is being sealed and stores it; nothing is lost that is not found again. False: after `graceMs` a call still hangs, and is left behind. */
  stop(graceMs: number): Promise<boolean>;
  /** Resolves when a whole scan that began after the call is done. */
  scanNow(): Promise<void>;
  state(): CaptureState;
  /** Whether the root is healthy and the recorded one: in an empty mount point no file was changed or deleted. */
  health(): Promise<RootHealth>;
}

const SMALLEST_GAP_MS = 1_000;
const HEALTH_MS = 15_000;
/** How soon an acceptance by `add-folder`, another process, is noticed. */
const ACCEPTED_MS = 2_000;
/** In a folder an action is over in an instant; on a share it waits for some seconds, and asks the server for little. */
const AFTER_AT_ONCE = 64;
/** Where a place far away shows nothing at all; on this host the root itself is known. */
const EMPTY_GAP_MS = 3_600_000;
const MOST = 10_000;
const RESTLESS_MS = 60_000;

export function startCapture(parts: CaptureParts): Capture {
  const { source, rules, intake, book, report } = parts;
  const clocks: Clocks = {
    wall: Date.now,
    steady: () => performance.now(),
    ...parts.clocks,
    corrected: parts.corrected,
  };
  const makeUuid = parts.makeUuid ?? uuidv7;
  const lanes = new Lanes(rules.parallel);
  const batch = new Batch(intake, {
    full: (detail) => void book.problem(ROOT, "disk-full", detail, clocks.wall()),
    roomAgain: () => void book.recovered(ROOT),
  });
  const shared = { source, intake, book, batch, report, clocks, makeUuid };
  const root = new Root({ ...shared, accept: rules.accept, back: () => void looks.rootIsBack() });
  const sealer = new Sealer({
    ...shared,
    lanes,
    partHasher: parts.partHasher,
    fresh: parts.fresh,
    fetches: rules.near ? undefined : parts.fetches,
    spool: parts.spool.of(`${intake.client}/${intake.source}`),
    copy: rules.copy,
    most: parts.most ?? MOST,
    rules: () => {
      const settleMs = settleTime(rules.settleMs, source.tells);
      return {
        settleMs,
        snapshotMs: rules.snapshotMs,
        restlessMs: Math.max(RESTLESS_MS, 10 * settleMs),
      };
    },
    lookAgain: (path, ms) => looks.path(path, ms),
    roomAgain: () => looks.scanLater(),
    askRoot: () => check(),
  });
  const removals = rules.removals
    ? new Removals({
        ...shared,
        gapMs: (empty) =>
          empty && !rules.near
            ? EMPTY_GAP_MS
            : Math.max(settleTime(rules.settleMs, source.tells), SMALLEST_GAP_MS),
        rootStands: root.stands,
        taken: rules.after !== undefined && !rules.near,
        lookAtFolder: (folder, ms) => looks.folder(folder, ms),
      })
    : undefined;
  const rule = rules.after;
  const after =
    rule && new AfterActions({ ...shared, rule, parallel: rules.near ? AFTER_AT_ONCE : rules.parallel });
  const asides = new Asides({
    ...shared,
    rule,
    lookAgain: (path, ms) => looks.path(path, ms),
  });
  const ends = new Ends({
    ...shared,
    told: rules.removals,
    taken: rule !== undefined,
    lookAgain: (path, ms) => looks.path(path, ms),
  });
  const comparison = new Comparison({
    ...shared,
    ends,
    sealer,
    removals,
    after,
    asides,
    rehashMs: rules.rehashMs,
    lookAgain: (path, ms) => looks.path(path, ms),
  });
  const looks: Looks = new Looks({
    ...shared,
    sealer,
    comparison,
    schedule: rules.schedule,
    near: rules.near,
    health: root.stands,
    reachable: () => root.reason === undefined,
  });

  const unsubscribe = parts.onEnd((ends) => {
    for (const { parcel, end } of ends) {
      if (parcel.client !== intake.client || parcel.source !== intake.source) continue;
      if (parcel.kind === "version" && parcel.spooled !== undefined && end.kind !== "aside")
        void parts.spool.release(parcel.spooled);
      if (end.kind === "superseded") looks.path(parcel.path, 0);
      // A file that vanished while its version waited: only now is known what its vanishing means.
      const missed = intake.seen(parcel.path)?.missed ?? 0;
      if (end.kind !== "aside" && missed > 0 && missed !== ENDED) looks.folder(parent(parcel.path), 0);
      if (end.kind === "delivered") after?.delivered(parcel.path);
    }
  });
  const check = (): void => {
    root.check().catch((error: unknown) => {
      // Without room the root cannot be recorded: the scans say so.
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
    });
  };
  const healthTimer = rules.near ? setInterval(check, HEALTH_MS) : undefined;
  const acceptedTimer = setInterval(() => {
    if (root.accepted()) check();
  }, ACCEPTED_MS);
  if (rules.watch) looks.watch();
  looks.begin();

  return {
    async stop(graceMs) {
      unsubscribe();
      clearInterval(healthTimer);
      clearInterval(acceptedTimer);
      sealer.stop();
      root.stop();
      const ended = Promise.all([looks.stop(), lanes.stop(), after?.stop()]).then(() => true);
      const inTime = await Promise.race([ended, sleep(graceMs, false, { ref: false })]);
      batch.stop();
      return inTime;
    },
    scanNow: () => looks.scanNow(),
    health: () => root.check(),
    state: () => ({
      reachable: root.reason === undefined,
      reason: whyNothing({
        away: root.reason,
        lastScanAt: looks.lastScanAt ?? book.lastScanAt(),
        nextScanAt: looks.nextScanAt,
        files: looks.lastScanAt === undefined ? 1 : looks.files,
        whole: looks.whole,
        events: rules.watch,
        leftOut: looks.leftOut,
        settling: sealer.settling,
        scanning: looks.scanning,
      }),
      files: looks.files,
      settling: sealer.settling,
      sealing: sealer.sealing,
      lastScanAt: looks.lastScanAt,
      nextScanAt: looks.nextScanAt,
      problems: book.problemCount(),
    }),
  };
}

/** For `add-folder` with the same path: the root as it is now is the source's own, whatever it was. */
export function acceptRoot(book: SourceBook): void {
  book.recordRoot(undefined);
}
