/**
 * Takes parcels from the queue and has them carried, several at once. What keeps a parcel back reaches as far as its
 * reason: its path, its source, its client, or everything. Whatever is held is asked for with one parcel or one probe,
 * so that an outage costs neither side thousands of tries.
 */
import type { ProblemError } from "@tributary/shared/problems.ts";
import type { Report } from "../facts.ts";
import type { Outbox, Parcel, Postponement, Waiting } from "../queue/queue.ts";
import type { Carry } from "./courier.ts";
import { Ends, placeOf } from "./ends.ts";
import { type Held, Holds } from "./holds.ts";
import { named, Outage } from "./outage.ts";
import { backoffMs, floorOf, reachOf } from "./retry.ts";

export interface DispatchOptions {
  readonly outbox: Outbox;
  readonly carry: Carry;
  /** One cheap authenticated call; throws the problem that stands between. */
  readonly probe: () => Promise<void>;
  readonly parallel: () => number;
  /** How much of one of `parallel` a parcel takes: less than 1 where it leaves together with others. */
  readonly share: (parcel: Parcel) => number;
  /** False while the schedule lets nothing leave. */
  readonly open: () => boolean;
  readonly report: Report;
  readonly random: () => number;
  /** Whole ms since 1970, and never jumping. */
  readonly now: () => number;
}

/** Parcels taken at one look into the queue, for each that may be under way. */
const TAKEN_AHEAD = 32;
const LONGEST_NAP_MS = 30_000;
const CLOSED_NAP_MS = 1_000;

export class Dispatcher {
  readonly #options: DispatchOptions;
  readonly #ends: Ends;
  readonly #holds: Holds;
  readonly #outage: Outage;
  /** What is on its way, and in which age of the outage it began. */
  readonly #underway = new Map<Promise<void>, number>();
  /** Their shares. */
  #load = 0;
  readonly #stop = new AbortController();
  /** Taken from the queue, not begun. */
  #ready: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #waking = false;
  #postponed: Postponement[] = [];

  constructor(options: DispatchOptions) {
    const { outbox, report, probe, random, now } = options;
    this.#options = options;
    this.#ends = new Ends(outbox, report, () => this.wake());
    this.#holds = new Holds(now, random);
    this.#outage = new Outage({ probe, report, random, over: () => this.wake() });
  }

  start(): void {
    this.#running = true;
    // Due times were written with a clock that may have been wrong: after a start each parcel has a try.
    this.#options.outbox.wakeAll();
    this.wake();
  }

  /** A source of this name is there again: what it held back, and nothing else, has a try now. */
  sourceBack(name: string): void {
    if (!this.#running) return;
    this.#holds.sourceBack(name);
    this.#options.outbox.wakeSource(name);
    this.wake();
  }

  /** They ended otherwise: what was taken of them and not begun stays here. */
  ended(captureIds: readonly string[]): void {
    const over = new Set(captureIds);
    this.#ready = this.#ready.filter(({ parcel }) => !over.has(parcel.captureId));
    for (const captureId of captureIds) this.#holds.ended(captureId);
  }

  /** Clients and sources of which nothing goes now. */
  held(): readonly Held[] {
    return this.#holds.list();
  }

  /** New parcels, a due time, a slot that is free. */
  wake(): void {
    if (!this.#running || this.#outage.holdsAll) return;
    clearTimeout(this.#timer);
    const { parallel, now, open } = this.#options;
    if (!open()) {
      this.#timer = setTimeout(() => this.wake(), CLOSED_NAP_MS);
      return;
    }
    const most = parallel();
    while (this.#load < most && !this.#isAsking()) {
      const waiting = this.#next(this.#outage.suspected ? 1 : most);
      if (waiting === undefined) break;
      this.#begin(waiting);
    }
    if (this.#load >= most || this.#isAsking()) return;
    const due = earliest(this.#options.outbox.nextDue(), this.#holds.nextAt());
    if (due !== undefined)
      this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(0, due - now()), LONGEST_NAP_MS));
  }

  /** Receipts come many at a time: one look into the queue for all of them. */
  #wakeSoon(): void {
    if (this.#waking) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.#storePostponed();
      this.wake();
    });
  }

  /** A bundle that broke strands hundreds at once: one commit for all. */
  #storePostponed(): void {
    const postponed = this.#postponed;
    this.#postponed = [];
    if (postponed.length > 0) this.#options.outbox.postpone(postponed);
  }

  /** The heartbeat got through: try now instead of later. */
  heard(): void {
    this.#outage.heard();
    this.wake();
  }

  /** The heartbeat did not get through, or learned that this agent may not act. */
  refused(problem: ProblemError): void {
    if (this.#running) this.#outage.refused(problem);
  }

  /**
   * What is on its way may finish for this long; then it is cut, and goes on after the next start. While the schedule
   * lets nothing leave it cannot finish, and is cut at once.
   */
  async stop(graceMs: number): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#outage.stop();
    const cut = (): void => this.#stop.abort(new Error("the agent stops"));
    const late = setTimeout(cut, this.#options.open() ? graceMs : 0);
    while (this.#underway.size > 0) await Promise.all(this.#underway.keys());
    clearTimeout(late);
    cut();
    this.#storePostponed();
    this.#ends.flush();
  }

  /** One at a time finds out whether anything is taken again; what began before, and may take hours, says nothing of that. */
  #isAsking(): boolean {
    const { suspected, age } = this.#outage;
    return suspected && [...this.#underway.values()].includes(age);
  }

  /** More than can begin now are taken: one look into the queue serves several. */
  #next(most: number): Waiting | undefined {
    if (this.#ready.length === 0)
      this.#ready = this.#options.outbox.take(
        most * TAKEN_AHEAD,
        this.#options.now(),
        (captureId, place, size) => this.#holds.admit(captureId, place, size),
      );
    return this.#ready.shift();
  }

  #begin(waiting: Waiting): void {
    const share = this.#options.share(waiting.parcel);
    this.#load += share;
    const work = this.#carry(waiting).finally(() => {
      this.#load -= share;
      this.#underway.delete(work);
      this.#wakeSoon();
    });
    this.#underway.set(work, this.#outage.age);
  }

  async #carry(waiting: Waiting): Promise<void> {
    const { carry, now } = this.#options;
    const { parcel } = waiting;
    const from = performance.now();
    const { age } = this.#outage;
    try {
      const carried = await carry(waiting, this.#stop.signal);
      const ms = performance.now() - from;
      if (carried.kind === "superseded") {
        this.#holds.ended(parcel.captureId);
        this.#ends.add(parcel, { kind: "superseded", detail: carried.detail, at: now() }, ms);
        return;
      }
      this.#outage.worked(age);
      this.#holds.passed(parcel.captureId);
      const { versionId, status, receivedAt } = carried.claims;
      const { receipt } = carried;
      this.#ends.add(parcel, { kind: "delivered", receipt, versionId, status, receivedAt, at: now() }, ms);
    } catch (cause) {
      if (this.#stop.signal.aborted) return;
      this.#failed(waiting, named(cause), age);
    }
  }

  #failed(waiting: Waiting, problem: ProblemError, age: number): void {
    const { parcel } = waiting;
    const { code, message } = problem;
    const reach = reachOf(code);
    const everywhere = reach === "receiver" || reach === "agent";
    if (reach === "client" || reach === "source") this.#hold(parcel, reach, problem);
    else this.#holds.ended(parcel.captureId);
    // The receiver was asked and answered; whose a source is the agent mostly knows by itself.
    if (!everywhere && problem.status > 0 && code !== "lease-lost") this.#outage.worked(age);
    if (reach === "aside" || reach === "parcel") {
      const at = this.#options.now();
      const forMs = backoffMs(1, floorOf(problem), this.#options.random);
      const again = reach === "parcel" ? { until: at + forMs } : {};
      this.#ends.add(parcel, { kind: "aside", code, detail: message, at, ...again }, 0);
      return;
    }
    this.#postpone(waiting, problem, !everywhere);
    if (everywhere) this.#outage.failed(problem, age);
  }

  #postpone({ parcel, attempts }: Waiting, problem: ProblemError, tell: boolean): void {
    const { report, now, random } = this.#options;
    const { code, message } = problem;
    const forMs = backoffMs(attempts + 1, floorOf(problem), random);
    const { captureId } = parcel;
    this.#postponed.push({ captureId, until: now() + forMs, problem: { code, detail: message } });
    if (tell) report({ kind: "ParcelPostponed", ...placeOf(parcel), code, detail: message, forMs });
  }

  /** What was taken before of the place that is held now goes back. */
  #hold(parcel: Waiting["parcel"], reach: "client" | "source", problem: ProblemError): void {
    this.#holds.failed(parcel, reach, problem);
    const back = this.#ready.filter(
      (one) =>
        one.parcel.client === parcel.client && (reach === "client" || one.parcel.source === parcel.source),
    );
    if (back.length === 0) return;
    this.#ready = this.#ready.filter((one) => !back.includes(one));
    for (const one of back) this.#holds.ended(one.parcel.captureId);
    this.#options.outbox.giveBack(back.map((one) => one.parcel.captureId));
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
