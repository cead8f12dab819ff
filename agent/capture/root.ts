/**
 * The root of one source: reachable, and still the one that was recorded. One question at a time: a share that hangs
 * keeps each call, and the thread that makes it, for as long as it hangs.
 */
import { formatDuration } from "@tributary/shared/units.ts";
import type { Report } from "../facts.ts";
import type { SourceBook } from "../queue/queue.ts";
import { ROOT } from "../source/bytes.ts";
import type { RootHealth, Source } from "../source/source.ts";
import type { Clocks } from "./sealer.ts";

export interface RootParts {
  readonly source: Pick<Source, "name" | "health">;
  readonly book: SourceBook;
  readonly report: Report;
  readonly clocks: Clocks;
  /** What has to happen for another root to be taken as the source's own, as in "add-folder is run again". */
  readonly accept: string;
  /** Look at everything: the root is there again, or was taken anew. */
  readonly back: () => void;
  /** Without an answer for this long it counts as not reachable; ms. */
  readonly answerMs?: number;
}

/** A disk that was asleep, or a share over a bad line, may take some seconds. */
const ANSWER_MS = 25_000;

interface Asked {
  readonly answer: Promise<RootHealth>;
  /** Says that it does not answer, when that has taken too long or is waited for no longer. */
  readonly silence: Promise<RootHealth>;
}

export class Root {
  readonly #parts: RootParts;
  readonly #stopped = new AbortController();
  #asked: Asked | undefined;
  #reason: string | undefined;
  #since: number;
  /** A root was recorded when this process last looked. */
  #recordedBefore: boolean;
  #changed = false;

  constructor(parts: RootParts) {
    this.#parts = parts;
    this.#since = parts.clocks.wall();
    this.#recordedBefore = parts.book.rootId() !== undefined;
  }

  /** Why it cannot be reached; undefined: it can. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Whatever root is there now was accepted, and not looked at since. */
  accepted(): boolean {
    return this.#recordedBefore && this.#parts.book.rootId() === undefined;
  }

  /** Nothing is waited for, noted or reported any more. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Healthy only when it is also the recorded one: in an empty mount point no file was changed or deleted. */
  async check(): Promise<RootHealth> {
    const { book, report, clocks, source, accept, back } = this.#parts;
    const health = await this.#ask();
    if (this.#stopped.signal.aborted) return { healthy: false, ...unreachable("the agent stops") };
    if (!health.healthy) {
      book.problem(ROOT, health.code, health.reason, clocks.wall());
      this.#say(health.reason);
      return health;
    }
    const away = this.#reason !== undefined;
    this.#say(undefined);
    const recorded = book.rootId();
    if (recorded !== undefined && recorded !== health.rootId) {
      this.#recordedBefore = true;
      const reason = `it is not the place that it was (${recorded} before, ${health.rootId} now). Is a share or a disk not mounted there? Files are captured, but nothing is removed until the one of before is back, or, if this one is right, until ${accept}`;
      book.problem(ROOT, "root-changed", reason, clocks.wall());
      if (!this.#changed) report({ kind: "RootChanged", source: source.name, detail: reason });
      this.#changed = true;
      if (away) back();
      return { healthy: false, code: "root-changed", reason };
    }
    if (recorded === undefined) book.recordRoot(health.rootId);
    this.#clearProblem();
    const taken = this.#changed || (recorded === undefined && this.#recordedBefore);
    if (taken) report({ kind: "RootTaken", source: source.name, accepted: recorded === undefined });
    this.#changed = false;
    this.#recordedBefore = true;
    if (taken || away) back();
    return health;
  }

  readonly stands = async (): Promise<boolean> => (await this.check()).healthy;

  /** The answer to a question that was asked after the call: whatever was listed before it, was listed in this root. */
  async #ask(): Promise<RootHealth> {
    const before = this.#asked;
    if (before !== undefined) {
      const health = await Promise.race([before.answer, before.silence]);
      if (this.#asked === before) return health;
    }
    this.#asked ??= this.#question();
    return await Promise.race([this.#asked.answer, this.#asked.silence]);
  }

  #question(): Asked {
    const { source, answerMs = ANSWER_MS } = this.#parts;
    const { signal } = this.#stopped;
    let silent = (): void => undefined;
    const silence = new Promise<RootHealth>((resolve) => {
      const reason = `"${source.name}" does not answer (for ${formatDuration(answerMs)} and more): see whether its server is there`;
      silent = () => resolve({ healthy: false, ...unreachable(reason) });
    });
    const timer = setTimeout(silent, answerMs);
    signal.addEventListener("abort", silent, { once: true });
    const answer = source.health().finally(() => {
      this.#asked = undefined;
      clearTimeout(timer);
      signal.removeEventListener("abort", silent);
    });
    if (signal.aborted) silent();
    return { answer, silence };
  }

  #say(why: string | undefined): void {
    const { clocks, report, source } = this.#parts;
    const [healthy, before] = [why === undefined, this.#reason];
    this.#reason = why;
    if (healthy === (before === undefined)) return;
    if (!healthy) this.#since = clocks.wall();
    const back = `it is there again after ${formatDuration(Math.max(0, clocks.wall() - this.#since))}`;
    report({ kind: "SourceHealthChanged", source: source.name, healthy, reason: why ?? back });
  }

  #clearProblem(): void {
    for (const { path, code } of this.#parts.book.problems())
      if (path.length === 0 && code !== "disk-full") return void this.#parts.book.recovered(ROOT);
  }
}

function unreachable(reason: string): { readonly code: "source-unreachable"; readonly reason: string } {
  return { code: "source-unreachable", reason };
}
