/**
 * Group commit. Captures queue up while a commit runs; the next one takes them all, so that one fsync serves many.
 * Order, for every capture: ledger rows durable -> the manifest segment that covers them durable -> its outcome.
 * Commits follow one another; their manifest writes may overlap.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Capture, Ledger, Outcome, SignReceipt } from "../ledger/ledger.ts";
import type { Manifest } from "../tail/manifest.ts";
import type { Report } from "./facts.ts";

const MOST_PER_COMMIT = 1000;
const MOST_WRITES_AT_ONCE = 4;
/** How long a commit waits for captures whose bytes are being made durable: less than it costs to commit them apart. */
const GATHER_MS = 5;

interface Waiting {
  readonly capture: Capture;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Everything that makes entries goes through one of these per receiver. */
export class Committer {
  readonly #ledger: Pick<Ledger, "commit">;
  readonly #manifest: Manifest;
  readonly #sign: SignReceipt;
  readonly #report: Report;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Announced, and not yet here. */
  #coming = 0;
  #allHere: () => void = () => {};
  readonly #writes = new Set<Promise<void>>();

  readonly #gatherMs: number;

  constructor(
    ledger: Pick<Ledger, "commit">,
    manifest: Manifest,
    sign: SignReceipt,
    report: Report,
    gatherMs = GATHER_MS,
  ) {
    this.#gatherMs = gatherMs;
    this.#ledger = ledger;
    this.#manifest = manifest;
    this.#sign = sign;
    this.#report = report;
  }

  /** Rejects with `ledger-unavailable` (nothing is known to be recorded) or `lake-unavailable` (recorded, but its receipt waits for the manifest). */
  commit(capture: Capture): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ capture, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Its bytes are being made durable: a capture will be here soon, or never. The answer ends the wait for it. */
  announce(): () => void {
    this.#coming += 1;
    return () => {
      this.#coming -= 1;
      if (this.#coming === 0) this.#allHere();
    };
  }

  /** A receipt that was given before, or refers to an older version, waits for the manifest like any other. */
  async settled(versionId: string): Promise<void> {
    await this.#settle([versionId]);
  }

  /** Resolves when nothing is under way: for a graceful stop. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#writes.size > 0)
      await Promise.all([this.#running, ...this.#writes]);
  }

  async #run(): Promise<void> {
    // Whatever arrived in this turn of the event loop shares the commit.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      await this.#gather();
      const batch = this.#queue.splice(0, MOST_PER_COMMIT);
      await this.#commit(batch);
      if (this.#writes.size >= MOST_WRITES_AT_ONCE) await Promise.race(this.#writes);
    }
    // In the same step in which the queue was seen empty: whoever comes next begins anew.
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    if (this.#coming === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#gatherMs);
      this.#allHere = () => {
        clearTimeout(timer);
        // After the last one's own steps to `commit`.
        setImmediate(resolve);
      };
    });
    this.#allHere = () => {};
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const from = performance.now();
    try {
      const { outcomes, segment } = await this.#ledger.commit(
        batch.map((waiting) => waiting.capture),
        this.#sign,
      );
      this.#report({ kind: "Committed", captures: batch.length, ms: performance.now() - from });
      const write = this.#answer(batch, outcomes, segment).finally(() => this.#writes.delete(write));
      this.#writes.add(write);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }

  async #answer(
    batch: readonly Waiting[],
    outcomes: readonly Outcome[],
    segment: Parameters<Manifest["write"]>[0] | undefined,
  ): Promise<void> {
    const from = performance.now();
    try {
      if (segment) {
        await this.#manifest.write(segment);
        this.#report({
          kind: "SegmentWritten",
          lines: segment.lines.length,
          ms: performance.now() - from,
        });
      }
    } catch (cause) {
      this.#report({ kind: "SegmentFailed", segment: segment?.id ?? "", error: cause });
      const problem = manifestProblem(cause);
      for (const waiting of batch) waiting.reject(problem);
      return;
    }
    const older = outcomes.flatMap((o) =>
      o.kind === "unchanged" || o.kind === "repeated" ? [o.claims.versionId] : [],
    );
    try {
      await this.#settle(older);
    } catch (problem) {
      batch.forEach((waiting, i) => {
        const kind = outcomes[i]?.kind;
        if (kind === "unchanged" || kind === "repeated") waiting.reject(problem);
      });
    }
    batch.forEach((waiting, i) => {
      waiting.resolve(outcomes[i] as Outcome);
    });
  }

  async #settle(versionIds: readonly string[]): Promise<void> {
    try {
      await this.#manifest.settled(versionIds);
    } catch (cause) {
      throw manifestProblem(cause);
    }
  }
}

function manifestProblem(cause: unknown): ProblemError {
  return new ProblemError(
    "lake-unavailable",
    "the entry is recorded, but the lake did not take its manifest segment; send the same capture again for its receipt",
    { cause, retryAfter: 5 },
  );
}
