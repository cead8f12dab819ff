/**
 * The leases of this agent: which sources it may poll now, among the agents that share them. The receiver decides and
 * renews; here is counted how long its word is good: from before the question was sent, by the steady and by the wall
 * clock, since the steady one stands still while the machine sleeps. What this agent takes for its own is at no time more than what it
 * has; and where a clock lies nevertheless, the receiver refuses the old term.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  LEASE,
  type LeaseAnswer,
  type LeaseRequest,
  type LeaseState,
  leaseAnswer,
  ROUTE,
} from "@tributary/shared/protocol.ts";
import type { Receiver } from "../identity/receiver.ts";

/** What a lease is of. */
export interface Place {
  readonly client: string;
  readonly source: string;
}

export interface LeasesOptions {
  readonly receiver: Pick<Receiver, "call">;
  /** ms, each: one that never jumps, and one that goes on while the machine sleeps. */
  readonly clocks: { readonly steady: () => number; readonly wall: () => number };
  /** It may be polled, and what is brought of it goes under this term. */
  readonly gained: (place: Place, term: number) => void;
  /** It may not be polled any more, and nothing more of it leaves. */
  readonly lost: (place: Place, why: string) => void;
  /** Another has it, or this agent may not: told whenever why is new. */
  readonly elsewhere: (place: Place, why: string) => void;
  /** Others shall have it: what is under way may end; then `released`. Said once for each time. */
  readonly handOver: (place: Place) => void;
  /** A call failed; it is made again. */
  readonly refused: (problem: ProblemError) => void;
  /** What no problem names: a fault of this program. The next call comes all the same. */
  readonly fault: (cause: unknown) => void;
  readonly random: () => number;
  /** Does it after so many ms, unless the answer is called before. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

interface Held {
  readonly place: Place;
  readonly term: number;
  /** Of both clocks, before the question was sent that the receiver granted it at. */
  readonly asked: Instant;
  readonly ttlMs: number;
  readonly handingOver: boolean;
}

interface Instant {
  readonly steady: number;
  readonly wall: number;
}

/** This much of its time is given up, so that who holds it never takes it for longer than the receiver does. */
const MARGIN = 1 / 6;
/** After which a call is made again that failed, and before which several changes are told in one. */
const AGAIN_MS = 2000;
const GATHER_MS = 100;
/** A call that takes longer than a third of a lease is given up: the next may get through. */
const ANSWER_MS = (LEASE.ttlSeconds * 1000) / 3;
const LOOK_MS = 2000;
const FAREWELL_MS = 2000;

export class Leases {
  readonly #options: LeasesOptions;
  readonly #held = new Map<string, Held>();
  readonly #releases = new Map<string, LeaseRequest["releases"][number]>();
  readonly #stop = new AbortController();
  #wants = new Map<string, Place>();
  #asking: Promise<void> | undefined;
  #cancelAsk: () => void = () => {};
  #cancelLook: () => void = () => {};
  #again = false;
  #failure: string | undefined;
  /** Why each that is not held is not, as it was last told. */
  readonly #told = new Map<string, string>();

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /** All that this agent would poll, from now on. What it holds and no longer wants is given back, without a word. */
  want(places: readonly Place[]): void {
    if (places.length > LEASE.most)
      throw new ProblemError(
        "config-invalid",
        `${places.length} sources are to be shared; one agent shares ${LEASE.most} at most`,
      );
    const wants = new Map(
      places.map(({ client, source }) => [keyOf({ client, source }), { client, source }]),
    );
    const same = wants.size === this.#wants.size && [...wants.keys()].every((key) => this.#wants.has(key));
    if (same) return;
    this.#wants = wants;
    for (const [key, held] of this.#held) if (!wants.has(key)) this.#giveBack(key, held);
    for (const key of this.#told.keys()) if (!wants.has(key)) this.#told.delete(key);
    this.#soon(GATHER_MS);
  }

  /** The term under which something of this source may leave now; undefined: nothing may. */
  termOf(client: string, source: string): number | undefined {
    const held = this.#held.get(keyOf({ client, source }));
    return held === undefined || this.#leftMs(held) <= 0 ? undefined : held.term;
  }

  /** After `handOver`, or when it is no longer wanted: it is told soon, and nothing leaves under its term any more. */
  released(place: Place): void {
    const key = keyOf(place);
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#giveBack(key, held);
    this.#soon(GATHER_MS);
  }

  /** The receiver answered `lease-lost` to what went under this term. */
  refusedUnder(place: Place, term: number): void {
    const key = keyOf(place);
    if (this.#held.get(key)?.term !== term) return;
    this.#lose(key, "the receiver says that another agent has it");
    this.#soon(GATHER_MS);
  }

  /** Gives all back in one call, as far as that gets through in 2 s; nothing is called back any more. */
  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    for (const [key, held] of this.#held) this.#giveBack(key, held);
    this.#cancelAsk();
    this.#cancelLook();
    this.#stop.abort(new Error("the agent stops"));
    await this.#asking?.catch(() => {});
    if (this.#releases.size === 0) return;
    const signal = AbortSignal.timeout(FAREWELL_MS);
    await this.#call({ wants: [], releases: [...this.#releases.values()] }, signal).catch(() => {});
  }

  #giveBack(key: string, { place, term }: Held): void {
    this.#held.delete(key);
    this.#releases.set(key, { ...place, term });
  }

  #lose(key: string, why: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#options.lost(held.place, why);
  }

  #now(): Instant {
    const { steady, wall } = this.#options.clocks;
    return { steady: steady(), wall: wall() };
  }

  /** How long the receiver's word is good for. Where the clocks differ the one counts by which more has passed. */
  #leftMs({ asked, ttlMs }: Held): number {
    const now = this.#now();
    return ttlMs * (1 - MARGIN) - Math.max(now.steady - asked.steady, now.wall - asked.wall);
  }

  #after(ms: number, work: () => void): () => void {
    if (this.#options.after !== undefined) return this.#options.after(ms, work);
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  }

  #soon(ms: number): void {
    if (this.#stop.signal.aborted) return;
    if (this.#asking !== undefined) {
      this.#again = true;
      return;
    }
    this.#cancelAsk();
    this.#cancelAsk = this.#after(ms, () => this.#ask());
  }

  #ask(): void {
    if (this.#asking !== undefined || this.#stop.signal.aborted) return;
    // Nothing is wanted and nothing held: there is nothing to ask for.
    if (this.#wants.size === 0 && this.#releases.size === 0) return;
    const asked = this.#now();
    this.#again = false;
    this.#asking = this.#exchange(asked)
      .then(
        (renewMs) => {
          this.#failure = undefined;
          const gone = this.#now().steady - asked.steady;
          // Always a little before it is due: a lease is kept for whoever is to have it for just as long.
          return Math.max(GATHER_MS, renewMs * (0.75 + 0.2 * this.#options.random()) - gone);
        },
        (cause: unknown) => this.#failed(cause),
      )
      .then((ms) => {
        this.#asking = undefined;
        this.#soon(this.#again ? GATHER_MS : ms);
      });
  }

  #failed(cause: unknown): number {
    if (this.#stop.signal.aborted) return AGAIN_MS;
    if (!(cause instanceof ProblemError)) {
      this.#options.fault(cause);
      return AGAIN_MS;
    }
    this.#failure = cause.message;
    this.#options.refused(cause);
    const ms = cause.retry ? Math.max(AGAIN_MS, (cause.retryAfter ?? 0) * 1000) : LEASE.renewSeconds * 1000;
    return ms * (0.75 + 0.5 * this.#options.random());
  }

  /** How often the receiver wants to be asked, in ms. */
  async #exchange(asked: Instant): Promise<number> {
    const releases = new Map(this.#releases);
    const request = { wants: [...this.#wants.values()], releases: [...releases.values()] };
    const answer = await this.#call(request, this.#stop.signal);
    for (const [key, { term }] of releases)
      if (this.#releases.get(key)?.term === term) this.#releases.delete(key);
    if (this.#stop.signal.aborted) return 0;
    for (const state of answer.leases) this.#take(state, asked, answer.ttlSeconds * 1000);
    this.#look();
    return answer.renewSeconds * 1000;
  }

  async #call(request: LeaseRequest, signal: AbortSignal): Promise<LeaseAnswer> {
    const { json } = await this.#options.receiver.call({
      method: "POST",
      path: ROUTE.leases,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      signal,
      answerMs: ANSWER_MS,
    });
    const answer = leaseAnswer.safeParse(json);
    if (answer.success) return answer.data;
    throw new ProblemError("receiver-unreachable", "the answer about the leases cannot be read", {
      cause: answer.error,
    });
  }

  #take(state: LeaseState, asked: Instant, ttlMs: number): void {
    const key = keyOf(state);
    const place = this.#wants.get(key);
    // Meanwhile it was given back, or is no longer wanted: the next call says so.
    if (place === undefined || this.#releases.has(key)) return;
    const before = this.#held.get(key);
    if (!state.held) {
      const why = whyNot(state);
      if (before !== undefined) this.#lose(key, why);
      else if (this.#told.get(key) !== why) this.#options.elsewhere(place, why);
      this.#told.set(key, why);
      return;
    }
    this.#told.delete(key);
    const { term, handOver } = state;
    const now = { place, term, asked, ttlMs, handingOver: handOver };
    if (this.#leftMs(now) <= 0) return;
    if (before !== undefined && before.term !== term) this.#lose(key, "it was another's meanwhile");
    this.#held.set(key, now);
    if (before?.term !== term) this.#options.gained(place, term);
    if (handOver && !(before?.term === term && before.handingOver)) this.#options.handOver(place);
  }

  /** Ends what was not renewed in time. Looks often, since a timer stands still while the machine sleeps. */
  #look(): void {
    this.#cancelLook();
    if (this.#stop.signal.aborted) return;
    let next = LOOK_MS;
    const before = this.#held.size;
    for (const [key, held] of this.#held) {
      const left = this.#leftMs(held);
      if (left > 0) next = Math.min(next, left);
      else
        this.#lose(
          key,
          `it could not be renewed in time${this.#failure === undefined ? "" : `: ${this.#failure}`}`,
        );
    }
    if (this.#held.size < before) this.#soon(GATHER_MS);
    if (this.#held.size > 0) this.#cancelLook = this.#after(Math.ceil(next), () => this.#look());
  }
}

function whyNot(state: LeaseState & { readonly held: false }): string {
  if (state.refused === "client-suspended") return "the client is suspended";
  if (state.refused === "client-not-allowed") return "this agent no longer acts for the client";
  return state.holder === null ? "it was not renewed in time" : `the agent "${state.holder}" has it`;
}

function keyOf({ client, source }: Place): string {
  return `${client} ${source}`;
}
