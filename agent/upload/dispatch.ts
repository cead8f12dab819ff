/**
 * Takes parcels from the queue and has them carried, several at once. Whatever keeps one parcel back keeps back its
 * path alone; what keeps all back (no receiver, no right to act) stops everything until one probe gets through, so
 * that an outage costs neither side thousands of tries.
 */
import { type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import type { Report } from "../facts.ts";
import type { Outbox, Waiting } from "../queue/queue.ts";
import type { Carry } from "./courier.ts";
import { Ends, placeOf } from "./ends.ts";
import { backoffMs, reachOf } from "./retry.ts";

export interface DispatchOptions {
  readonly outbox: Outbox;
  readonly carry: Carry;
  /** One cheap authenticated call; throws the problem that stands between. */
  readonly probe: () => Promise<void>;
  readonly parallel: () => number;
  /** False while the schedule lets nothing leave. */
  readonly open: () => boolean;
  readonly report: Report;
  readonly random: () => number;
  /** Whole ms since 1970, and never jumping. */
  readonly now: () => number;
}

/** With no right to act a look now and then is enough. */
const STOPPED_MS = 60_000;
/** Failures in a row, the receiver answering in between, after which it counts as lost. */
const SUSPECT = 3;
const LONGEST_NAP_MS = 30_000;
const CLOSED_NAP_MS = 1_000;

export class Dispatcher {
  readonly #options: DispatchOptions;
  readonly #ends: Ends;
  readonly #underway = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** Taken from the queue, not begun. */
  #ready: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #recovering = false;
  #nudge: () => void = () => {};
  /** The receiver was heard since the last probe began. */
  #heard = false;
  /** Receiver-wide failures since anything was carried. */
  #suspicion = 0;
  #lost: ProblemCode | undefined;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#ends = new Ends(options.outbox, options.report, () => this.wake());
  }

  /** What stands between this agent and the receiver; undefined when nothing does. */
  get lost(): ProblemCode | undefined {
    return this.#lost;
  }

  start(): void {
    this.#running = true;
    // Due times were written with a clock that may have been wrong: after a start each parcel has a try.
    this.retryAll();
  }

  /** What many waited for may be there again, a source: each has a try now. */
  retryAll(): void {
    if (!this.#running) return;
    this.#options.outbox.take(0, Number.MAX_SAFE_INTEGER);
    this.wake();
  }

  /** New parcels, a due time, a slot that is free. */
  wake(): void {
    if (!this.#running || this.#recovering) return;
    clearTimeout(this.#timer);
    const { outbox, parallel, now, open } = this.#options;
    if (!open()) {
      this.#timer = setTimeout(() => this.wake(), CLOSED_NAP_MS);
      return;
    }
    const most = this.#suspicion > 0 ? 1 : parallel();
    while (this.#underway.size < most) {
      // More than can begin now: one look into the queue serves several.
      if (this.#ready.length === 0) this.#ready = outbox.take(most * 4, now());
      const waiting = this.#ready.shift();
      if (waiting === undefined) break;
      this.#begin(waiting);
    }
    if (this.#underway.size >= most) return;
    const due = outbox.nextDue();
    if (due !== undefined)
      this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(0, due - now()), LONGEST_NAP_MS));
  }

  /** The heartbeat got through: try now instead of later. */
  heard(): void {
    this.#heard = true;
    this.#nudge();
    this.wake();
  }

  /** The heartbeat did not get through, or learned that this agent may not act. */
  refused(problem: ProblemError): void {
    const reach = reachOf(problem.code);
    if (!this.#running || this.#recovering || (reach !== "agent" && reach !== "receiver")) return;
    this.#lose(problem);
    this.#recover(problem);
  }

  /** What is on its way may finish for this long; then it is cut, and goes on after the next start. */
  async stop(graceMs: number): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#nudge();
    const late = setTimeout(() => this.#stop.abort(new Error("the agent stops")), graceMs);
    while (this.#underway.size > 0) await Promise.all(this.#underway);
    clearTimeout(late);
    this.#stop.abort(new Error("the agent stops"));
    this.#ends.flush();
  }

  #begin(waiting: Waiting): void {
    const work = this.#carry(waiting).finally(() => {
      this.#underway.delete(work);
      this.wake();
    });
    this.#underway.add(work);
  }

  async #carry(waiting: Waiting): Promise<void> {
    const { carry, now } = this.#options;
    const { parcel } = waiting;
    const from = performance.now();
    try {
      const carried = await carry(waiting, this.#stop.signal);
      const ms = performance.now() - from;
      this.#trust();
      if (carried.kind === "superseded") {
        this.#ends.add(parcel, { kind: "superseded", detail: carried.detail, at: now() }, ms);
        return;
      }
      const { versionId, status, receivedAt } = carried.claims;
      const { receipt } = carried;
      this.#ends.add(parcel, { kind: "delivered", receipt, versionId, status, receivedAt, at: now() }, ms);
    } catch (cause) {
      if (this.#stop.signal.aborted) return;
      this.#failed(waiting, named(cause));
    }
  }

  #failed(waiting: Waiting, problem: ProblemError): void {
    const { outbox, report, now, random } = this.#options;
    const { parcel, attempts } = waiting;
    const { code, message } = problem;
    const reach = reachOf(code);
    if (reach === "aside") {
      this.#trust();
      this.#ends.add(parcel, { kind: "aside", code, detail: message, at: now() }, 0);
      return;
    }
    const forMs = backoffMs(attempts + 1, problem.retryAfter, random);
    outbox.postpone(parcel.captureId, now() + forMs, { code, detail: message });
    if (reach !== "path") {
      this.#suspicion += 1;
      this.#recover(problem);
      return;
    }
    this.#trust();
    report({ kind: "ParcelPostponed", ...placeOf(parcel), code, detail: message, forMs });
  }

  /** The receiver did what it is for. */
  #trust(): void {
    this.#suspicion = 0;
    this.#found();
  }

  #found(): void {
    if (this.#lost === undefined) return;
    this.#lost = undefined;
    this.#options.report({ kind: "ReceiverBack" });
  }

  /** One probe at a time until one gets through; what is on its way meanwhile goes on. */
  #recover(problem: ProblemError): void {
    if (this.#recovering || !this.#running) return;
    this.#recovering = true;
    void this.#probe(problem).finally(() => {
      this.#recovering = false;
      this.wake();
    });
  }

  async #probe(first: ProblemError): Promise<void> {
    const { probe, random } = this.#options;
    let problem = first;
    this.#heard = false;
    // Nobody there, or it answers and still takes nothing: the same outage for those who wait.
    if (reachOf(problem.code) === "agent" || this.#suspicion >= SUSPECT) this.#lose(problem);
    if (this.#suspicion > 1) await this.#nap(backoffMs(this.#suspicion, problem.retryAfter, random));
    for (let attempt = 1; this.#running; attempt += 1) {
      this.#heard = false;
      try {
        await probe();
        if (!this.#running) return;
        if (this.#suspicion < SUSPECT || reachOf(problem.code) === "agent") this.#found();
        return;
      } catch (cause) {
        if (!this.#running) return;
        problem = named(cause);
        const reach = reachOf(problem.code);
        // It answered, or what is wrong is on this side (a full disk): parcels may go.
        if (reach === "path" || reach === "aside") return;
        this.#lose(problem);
        const agent = reach === "agent";
        await this.#nap(agent ? STOPPED_MS : backoffMs(attempt, problem.retryAfter, random));
      }
    }
  }

  #lose(problem: ProblemError): void {
    if (this.#lost === problem.code) return;
    this.#lost = problem.code;
    const kind = reachOf(problem.code) === "agent" ? "AgentStopped" : "ReceiverLost";
    this.#options.report({ kind, code: problem.code, detail: problem.message });
  }

  /** Ended early by `heard` and `stop`. */
  #nap(ms: number): Promise<void> {
    if (this.#heard) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#nudge = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A fault of ours must not lose a parcel either: it waits, and the fault is shown. */
function named(cause: unknown): ProblemError {
  if (cause instanceof ProblemError) return cause;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return new ProblemError("internal", `a fault in this agent: ${text}`, { cause });
}
