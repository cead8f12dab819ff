/**
 * Small files ride together: a tar stream that stays open as long as parcels come, answered line by line while it
 * leaves, so that none of them pays a round trip of its own. A rider is delivered by its own receipt alone; what a
 * bundle that broke did not name has to ride again.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type BundleLine, bundleLine, HEADER, PAX, ROUTE } from "@tributary/shared/protocol.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { type Answer, problemOf } from "../identity/answer.ts";
import type { Receiver } from "../identity/receiver.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { reachOf } from "./retry.ts";

/** Entries and bytes of one bundle: proxies cap bodies at 100 MB, and some keep the whole of one before they pass it on. */
const MOST_RIDERS = 4096;
const MOST_BYTES = 32 * 2 ** 20;
const OLDEST_MS = 20_000;
/** How long a bundle stays open for the next rider. */
const LINGER_MS = 10;
/** Bundles on their way: while the receipts of one come back, the next one leaves. */
const MOST_AT_ONCE = 4;
/** What is written to the line at once. */
const WRITE = 64 * 2 ** 10;
/** A receiver that knows no bundles is asked again after this time: it may be a newer one then. */
const UNKNOWN_MS = 3_600_000;
/** Bundles in a row that broke unanswered: something in between may let single files through, and them not. */
const MOST_MUTE = 2;
const MUTE_MS = 60_000;

interface Rider {
  readonly parcel: VersionParcel;
  readonly bytes: Buffer;
  readonly resolve: (answer: Answer | "alone") => void;
  readonly reject: (problem: unknown) => void;
  /** It was in a bundle whose line broke. */
  again: boolean;
}

interface Bundle {
  readonly riders: Map<string, Rider>;
  /** Its body was asked for: until then nobody got on. */
  begun: boolean;
  /** Lines of its answer. */
  heard: number;
  open: boolean;
  wake: () => void;
}

/** What every call about a place says of it: whose it is, and under which lease it is brought. */
type Headers = Readonly<Record<string, string>>;

/** What rides together: files of one source, under one term of its lease. */
interface Stop {
  readonly source: string;
  readonly headers: Headers;
  waiting: Rider[];
  bundle: Bundle | undefined;
  scheduled: boolean;
  /** Bundles of its own on their way: what they leave behind comes back to it. */
  underway: number;
}

export interface BundlesOptions {
  readonly receiver: Receiver;
  readonly now: () => number;
}

export class Bundles {
  readonly #options: BundlesOptions;
  readonly #stops = new Map<string, Stop>();
  #underway = 0;
  #aloneUntil = 0;
  #mute = 0;

  constructor(options: BundlesOptions) {
    this.#options = options;
  }

  /**
   * The receiver's answer to this parcel; "alone" when there is nobody to ride with, or this receiver takes no bundles:
   * the parcel is to go by itself. Throws its problem; a bundle that broke is repeated once.
   */
  carry(
    parcel: VersionParcel,
    bytes: Buffer,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<Answer | "alone"> {
    if (this.#options.now() < this.#aloneUntil) return Promise.resolve("alone");
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const stop = this.#stopOf(parcel, headers);
      stop.waiting.push({ parcel, bytes, resolve, reject, again: false });
      this.#schedule(stop, signal);
    });
  }

  #stopOf({ client, source }: VersionParcel, headers: Headers): Stop {
    const key = `${client}/${source}/${headers[HEADER.lease] ?? ""}`;
    const stop = this.#stops.get(key) ?? {
      source,
      headers,
      waiting: [],
      bundle: undefined,
      scheduled: false,
      underway: 0,
    };
    this.#stops.set(key, stop);
    return stop;
  }

  /** After this turn of the event loop: whoever comes in it rides along. */
  #schedule(stop: Stop, signal: AbortSignal): void {
    if (stop.bundle?.open) {
      stop.bundle.wake();
      return;
    }
    if (stop.scheduled) return;
    stop.scheduled = true;
    setImmediate(() => {
      stop.scheduled = false;
      this.#depart(stop, signal);
    });
  }

  #depart(stop: Stop, signal: AbortSignal): void {
    const [first] = stop.waiting;
    if (first === undefined || stop.bundle?.open) return;
    if (signal.aborted) {
      for (const { reject } of stop.waiting.splice(0)) reject(signal.reason);
      return;
    }
    if (this.#options.now() < this.#aloneUntil) {
      for (const { resolve } of stop.waiting.splice(0)) resolve("alone");
      return;
    }
    if (stop.waiting.length === 1 && !first.again) {
      stop.waiting = [];
      first.resolve("alone");
      return;
    }
    if (this.#underway >= MOST_AT_ONCE) return;
    const bundle: Bundle = { riders: new Map(), begun: false, heard: 0, open: true, wake: () => {} };
    stop.bundle = bundle;
    this.#underway += 1;
    stop.underway += 1;
    void this.#travel(stop, bundle, signal).finally(() => {
      this.#underway -= 1;
      stop.underway -= 1;
      for (const [key, other] of this.#stops)
        if (isEmpty(other)) this.#stops.delete(key);
        else this.#schedule(other, signal);
    });
  }

  async #travel(stop: Stop, bundle: Bundle, signal: AbortSignal): Promise<void> {
    let failure: unknown;
    try {
      await this.#options.receiver.lines(
        {
          method: "POST",
          path: `${ROUTE.bundles}/${stop.source}`,
          headers: { "content-type": "application/x-tar", ...stop.headers },
          body: () => this.#body(stop, bundle, signal),
          signal,
        },
        (line) => {
          failure = arrived(bundle, line) ?? failure;
          bundle.heard += 1;
        },
      );
      failure ??= new ProblemError(
        "receiver-unreachable",
        `the answer to a bundle of ${stop.source} ended before it was whole`,
      );
    } catch (cause) {
      failure = cause;
    }
    bundle.open = false;
    bundle.wake();
    if (bundle.heard > 0) this.#mute = 0;
    // They waited for this one.
    if (!bundle.begun)
      for (const rider of stop.waiting.splice(0)) bundle.riders.set(rider.parcel.captureId, rider);
    if (bundle.riders.size > 0) this.#strand(stop, bundle, failure);
  }

  /** What becomes of those that were not named: a line that broke costs one repetition, and so does a clock that is corrected by now. */
  #strand(stop: Stop, bundle: Bundle, failure: unknown): void {
    const { code } = failure as Partial<ProblemError>;
    const unknown = code === "not-found" || code === "method-not-allowed";
    if (unknown) this.#aloneUntil = this.#options.now() + UNKNOWN_MS;
    if (code === "receiver-unreachable" && bundle.heard === 0 && ++this.#mute >= MOST_MUTE) {
      this.#mute = 0;
      this.#aloneUntil = this.#options.now() + MUTE_MS;
    }
    // What will never be taken as it is was the bundle: each of them has to hear that of itself.
    const alone = unknown || (failure instanceof ProblemError && reachOf(failure.code) === "aside");
    for (const rider of bundle.riders.values()) {
      if (alone) rider.resolve("alone");
      else if (!rider.again && (code === "receiver-unreachable" || code === "token-expired")) {
        rider.again = true;
        stop.waiting.push(rider);
      } else rider.reject(failure);
    }
  }

  async *#body(stop: Stop, bundle: Bundle, signal: AbortSignal): AsyncGenerator<Buffer> {
    bundle.begun = true;
    const until = performance.now() + OLDEST_MS;
    let pieces: Buffer[] = [];
    let gathered = 0;
    let riders = 0;
    let bytes = 0;
    try {
      while (riders < MOST_RIDERS && bytes < MOST_BYTES && bundle.open && performance.now() < until) {
        const rider = stop.waiting.shift();
        if (rider !== undefined) {
          bundle.riders.set(rider.parcel.captureId, rider);
          const entry = entryOf(rider);
          pieces.push(...entry);
          const size = entry.reduce((sum, { length }) => sum + length, 0);
          gathered += size;
          bytes += size;
          riders += 1;
          if (gathered < WRITE) continue;
        }
        if (gathered > 0) {
          const whole = Buffer.concat(pieces, gathered);
          pieces = [];
          gathered = 0;
          yield whole;
        } else if (signal.aborted || !(await another(bundle, LINGER_MS))) break;
      }
      // From here on nobody gets on.
      bundle.open = false;
      yield Buffer.concat([...pieces, TRAILER]);
    } finally {
      bundle.open = false;
      if (stop.waiting.length > 0) this.#schedule(stop, signal);
    }
  }
}

/** Its term may be over: who comes under the next one makes another. */
function isEmpty({ waiting, scheduled, underway }: Stop): boolean {
  return waiting.length === 0 && !scheduled && underway === 0;
}

/** Whether somebody else gets on in time. */
function another(bundle: Bundle, lingerMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (more: boolean): void => {
      clearTimeout(late);
      resolve(more && bundle.open);
    };
    const late = setTimeout(() => done(false), lingerMs);
    bundle.wake = () => done(true);
  });
}

function entryOf({ parcel, bytes }: Rider): readonly Buffer[] {
  const head = entryHead({
    path: parcel.path,
    size: bytes.length,
    mtimeNs: parcel.state.mtimeNs,
    records: [
      [PAX.captureId, parcel.captureId],
      [PAX.sha256, parcel.sha256],
      [PAX.sealedAt, parcel.sealedAt],
    ],
  });
  return [head, bytes, TRAILER.subarray(0, padding(bytes.length))];
}

/** Gives the rider its answer. What it returns ended the bundle. */
function arrived(bundle: Bundle, json: unknown): ProblemError | undefined {
  const parsed = bundleLine.safeParse(json);
  if (!parsed.success)
    throw new ProblemError("receipt-invalid", "a line of the answer to a bundle is none", {
      cause: parsed.error,
    });
  const line: BundleLine = parsed.data;
  if ("end" in line) return undefined;
  if (line.entry === null) return "problem" in line ? named(line.problem) : undefined;
  const rider = line.captureId === undefined ? undefined : bundle.riders.get(line.captureId);
  if (rider === undefined) return undefined;
  bundle.riders.delete(rider.parcel.captureId);
  if ("problem" in line) rider.reject(named(line.problem));
  else rider.resolve({ status: line.status === "created" ? 201 : 200, headers: {}, json: line });
  return undefined;
}

/** A newer receiver may have names for what goes wrong that are not in our table. */
function named(problem: { readonly code: string; readonly detail?: string | undefined }): ProblemError {
  const known = problemOf(problem);
  if (known !== undefined) return known;
  const detail = problem.detail === undefined ? "" : `: ${problem.detail.slice(0, 500)}`;
  return new ProblemError(
    "receipt-invalid",
    `the receiver answered with ${problem.code.slice(0, 100)}, which this agent does not know${detail}`,
  );
}
