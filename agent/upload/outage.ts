/**
 * Whether the receiver takes anything at all. When it does not, one probe at a time asks, so that an outage costs
 * neither side thousands of tries; when a probe gets through, parcels go one at a time until one is carried.
 */
import { type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import type { Report } from "../facts.ts";
import { backoffMs, reachOf } from "./retry.ts";

export interface OutageOptions {
  /** One cheap authenticated call; throws the problem that stands between. */
  readonly probe: () => Promise<void>;
  readonly report: Report;
  readonly random: () => number;
  /** Parcels may be tried again. */
  readonly over: () => void;
}

/** With no right to act a look now and then is enough. */
const STOPPED_MS = 60_000;
/** Failures in a row, the receiver answering in between, after which it counts as lost. */
const SUSPECT = 3;
/** What an answer to any call disproves. The rest (busy, no disk, no ledger) concerns files alone: a Retry-After counts. */
const DISPROVED: readonly ProblemCode[] = ["receiver-unreachable", "receiver-untrusted", "config-invalid"];

export class Outage {
  readonly #options: OutageOptions;
  #running = true;
  #recovering = false;
  #endNap: () => void = () => {};
  /** The receiver was heard since the last probe began. */
  #heard = false;
  /** Failures since anything was carried. */
  #suspicion = 0;
  #told: ProblemCode | undefined;
  #age = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Nothing may be tried now. */
  get holdsAll(): boolean {
    return this.#recovering;
  }

  /** It is not known yet whether the receiver takes anything: one parcel at a time. */
  get suspected(): boolean {
    return this.#suspicion > 0;
  }

  /** Changes with each outage. What began in another age says nothing about this one. */
  get age(): number {
    return this.#age;
  }

  /** A parcel that began in `age` failed for a reason that all share. */
  failed(problem: ProblemError, age: number): void {
    if (age !== this.#age) return;
    this.#suspicion += 1;
    this.#recover(problem);
  }

  /** The receiver did what it is for, with a parcel that began in `age`. */
  worked(age: number): void {
    if (age !== this.#age) return;
    this.#suspicion = 0;
    this.#found();
  }

  /** The heartbeat got through: try now instead of later. */
  heard(): void {
    this.#heard = true;
    this.#endNap();
  }

  /** The heartbeat did not get through, or learned that this agent may not act. */
  refused(problem: ProblemError): void {
    const reach = reachOf(problem.code);
    // The heartbeat's own lot; it says nothing about files.
    if (problem.code === "busy") return;
    if (!this.#running || this.#recovering || (reach !== "agent" && reach !== "receiver")) return;
    this.#lose(problem);
    this.#recover(problem);
  }

  stop(): void {
    this.#running = false;
    this.#endNap();
  }

  #found(): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#options.report({ kind: "ReceiverBack" });
  }

  #recover(problem: ProblemError): void {
    if (this.#recovering || !this.#running) return;
    this.#recovering = true;
    this.#age += 1;
    void this.#ask(problem).finally(() => {
      this.#recovering = false;
      this.#options.over();
    });
  }

  async #ask(first: ProblemError): Promise<void> {
    const { probe, random } = this.#options;
    let problem = first;
    this.#heard = false;
    // Nobody there, or it answers and still takes nothing: the same outage for those who wait.
    if (reachOf(problem.code) === "agent" || this.#suspicion >= SUSPECT) this.#lose(problem);
    if (this.#suspicion > 1 || problem.retryAfter !== undefined)
      await this.#nap(problem, backoffMs(Math.max(1, this.#suspicion), problem.retryAfter, random));
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
        if (reach !== "agent" && reach !== "receiver") return;
        this.#lose(problem);
        const waitMs = reach === "agent" ? STOPPED_MS : backoffMs(attempt, problem.retryAfter, random);
        await this.#nap(problem, waitMs);
      }
    }
  }

  #lose(problem: ProblemError): void {
    if (this.#told === problem.code) return;
    this.#told = problem.code;
    const kind = reachOf(problem.code) === "agent" ? "AgentStopped" : "ReceiverLost";
    this.#options.report({ kind, code: problem.code, detail: problem.message });
  }

  /** Ended early by `stop`, and by `heard` where hearing the receiver settles it. */
  async #nap(problem: ProblemError, ms: number): Promise<void> {
    const settled = DISPROVED.includes(problem.code) || reachOf(problem.code) === "agent";
    if (settled && this.#heard) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endNap = () => {
        if (this.#running && !settled) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A fault of ours must not lose a parcel either: it waits, and the fault is shown. */
export function named(cause: unknown): ProblemError {
  if (cause instanceof ProblemError) return cause;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return new ProblemError("internal", `a fault in this agent: ${text}`, { cause });
}
