/**
 * Sources that several agents share. Each is captured here only while its lease is held, and after what the holder
 * before brought is known; when it goes to another, what was captured here leaves first, if there is time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { TakenOver } from "./handover.ts";
import type { Leases, LeasesOptions, Place } from "./lease.ts";

export interface SharingParts {
  readonly openLeases: (
    events: Pick<LeasesOptions, "gained" | "lost" | "elsewhere" | "handOver" | "refused">,
  ) => Pick<Leases, "want" | "released" | "refusedUnder" | "stop">;
  /** See `takeOver`. */
  readonly takeOver: (place: Place, term: number, signal: AbortSignal) => Promise<TakenOver>;
  /** Whether anything of it waits to leave. */
  readonly waits: (place: Place) => boolean;
  /** It may be captured here. */
  readonly begin: (place: Place) => Promise<void>;
  /** It may not any more; resolves when nothing is captured. */
  readonly end: (place: Place) => Promise<void>;
  /** How it stands, in words, whenever that changes. */
  readonly say: (place: Place, words: string) => void;
  /** What concerns all of them, whenever it changes. */
  readonly warn: (words: string) => void;
  readonly fault: (cause: unknown) => void;
  readonly againMs?: number;
}

/** After which what could not be taken over is tried again. */
const AGAIN_MS = 5_000;
/** What still waits then is the next holder's to bring, or leaves when this agent has the lease again. */
const PARTING_MS = 30_000;
const LOOK_MS = 250;

type Standing =
  | { readonly kind: "elsewhere"; readonly why: string }
  | { readonly kind: "taking over"; readonly term: number; readonly stop: AbortController; why: string }
  | { readonly kind: "here"; readonly term: number }
  | { readonly kind: "parting"; readonly term: number };

const UNASKED = "whether another agent has it is not known yet";
const WITHOUT_LEASES =
  "the receiver is older than this agent, and knows nothing of sources that several agents share: update it; until then none is looked through but those with `lease: false`, which stands where no other agent has the source";

export class Sharing {
  readonly #parts: SharingParts;
  /** Made when the first source is shared. */
  #leases: ReturnType<SharingParts["openLeases"]> | undefined;
  #standings = new Map<string, Standing>();
  /** The term under which each was last taken over to its end. */
  readonly #taken = new Map<string, number>();
  /** Why it is not known whose they are. */
  #unasked = UNASKED;

  constructor(parts: SharingParts) {
    this.#parts = parts;
  }

  /** All that this agent shares, from now on. */
  want(places: readonly Place[]): void {
    const wanted = new Set(places.map(keyOf));
    for (const [key, standing] of this.#standings)
      if (!wanted.has(key)) {
        if (standing.kind === "taking over") standing.stop.abort(new Error("it is wanted no more"));
        this.#standings.delete(key);
        this.#taken.delete(key);
      }
    if (places.length === 0 && this.#leases === undefined) return;
    this.#leases ??= this.#parts.openLeases({
      gained: (place, term) => void this.#gained(place, term).catch(this.#parts.fault),
      lost: (place, why) => void this.#lost(place, why).catch(this.#parts.fault),
      refused: (problem) => this.#refused(problem),
      elsewhere: (place, why) => {
        const standing = this.#standings.get(keyOf(place));
        if (standing === undefined || standing.kind === "elsewhere")
          this.#standings.set(keyOf(place), { kind: "elsewhere", why });
      },
      handOver: (place) => void this.#part(place).catch(this.#parts.fault),
    });
    this.#leases.want(places);
  }

  /** Whether it is captured here. */
  isHere(place: Place): boolean {
    return this.#standings.get(keyOf(place))?.kind === "here";
  }

  /** Why it is not captured here. */
  why(place: Place): string {
    const standing = this.#standings.get(keyOf(place));
    if (standing === undefined) return this.#unasked;
    if (standing.kind === "here") return "it is about to be looked through";
    return standing.kind === "parting" ? "it is given to another agent" : standing.why;
  }

  /** Under which something of it may leave. Throws `lease-lost`. */
  termOf(place: Place): number {
    const standing = this.#standings.get(keyOf(place));
    if (standing?.kind === "here" || standing?.kind === "parting") return standing.term;
    throw new ProblemError("lease-lost", this.why(place), { retryAfter: AGAIN_MS / 1000 });
  }

  /** The receiver refused what left under this term. */
  refused(place: Place, term: number): void {
    this.#leases?.refusedUnder(place, term);
  }

  async stop(): Promise<void> {
    for (const standing of this.#standings.values())
      if (standing.kind === "taking over") standing.stop.abort(new Error("the agent stops"));
    await this.#leases?.stop();
  }

  #refused({ code, message }: ProblemError): void {
    const unknown = code === "not-found" || code === "method-not-allowed";
    const why = unknown ? WITHOUT_LEASES : `whether another agent has it cannot be asked: ${message}`;
    if (unknown && why !== this.#unasked) this.#parts.warn(why);
    this.#unasked = why;
  }

  async #gained(place: Place, term: number): Promise<void> {
    const { begin, say } = this.#parts;
    const stop = new AbortController();
    const standing: Standing = { kind: "taking over", term, stop, why: "it is being taken over" };
    this.#unasked = UNASKED;
    this.#standings.set(keyOf(place), standing);
    const news = await this.#takeOver(place, standing);
    if (news === undefined || this.#standings.get(keyOf(place)) !== standing) return;
    this.#taken.set(keyOf(place), term);
    this.#standings.set(keyOf(place), { kind: "here", term });
    say(place, `it is looked through here from now on; ${news}`);
    await begin(place);
  }

  /** What was found, in words; undefined: it ended before. */
  async #takeOver(
    place: Place,
    standing: Standing & { readonly kind: "taking over" },
  ): Promise<string | undefined> {
    const { takeOver, end, fault, againMs = AGAIN_MS } = this.#parts;
    const { term, stop } = standing;
    // Under the same term nobody else had it meanwhile.
    if (this.#taken.get(keyOf(place)) === term) return "no other agent had it meanwhile";
    // Nothing of it may be captured meanwhile, also not what is still being ended of the time before.
    await end(place);
    while (!stop.signal.aborted && this.#standings.get(keyOf(place)) === standing) {
      try {
        const { overtaken, learned } = await takeOver(place, term, stop.signal);
        return `the receiver has ${learned} of its files${overtaken === 0 ? "" : `, and ${overtaken} captures that waited here`}`;
      } catch (cause) {
        if (stop.signal.aborted) return undefined;
        if (cause instanceof ProblemError && cause.code === "lease-lost") {
          this.#leases?.refusedUnder(place, term);
          return undefined;
        }
        const why = `it cannot be taken over yet: ${cause instanceof Error ? cause.message : String(cause)}`;
        // A fault of this program, and not to be left at that: nobody else has the source.
        if (!(cause instanceof ProblemError) && why !== standing.why) fault(cause);
        standing.why = why;
        await sleep(againMs, undefined, { ref: false });
      }
    }
    return undefined;
  }

  async #lost(place: Place, why: string): Promise<void> {
    const before = this.#standings.get(keyOf(place));
    if (before?.kind === "taking over") before.stop.abort(new Error(why));
    this.#standings.set(keyOf(place), { kind: "elsewhere", why });
    if (before?.kind === "here") this.#parts.say(place, `it is looked through here no more: ${why}`);
    await this.#parts.end(place);
  }

  async #part(place: Place): Promise<void> {
    const { end, waits, say } = this.#parts;
    const before = this.#standings.get(keyOf(place));
    if (before?.kind === "taking over") before.stop.abort(new Error("it goes to another agent"));
    if (before?.kind === "here") {
      const standing: Standing = { kind: "parting", term: before.term };
      this.#standings.set(keyOf(place), standing);
      await end(place);
      const from = performance.now();
      while (
        this.#standings.get(keyOf(place)) === standing &&
        waits(place) &&
        performance.now() - from < PARTING_MS
      )
        await sleep(LOOK_MS, undefined, { ref: false });
      if (this.#standings.get(keyOf(place)) !== standing) return;
    }
    this.#standings.set(keyOf(place), { kind: "elsewhere", why: "it is given to another agent" });
    say(place, "it is given to another agent, which has fewer sources");
    this.#leases?.released(place);
  }
}

function keyOf({ client, source }: Place): string {
  return `${client}/${source}`;
}
