/** `after:` for one source: each delivered file once, its failures visible and tried again at the next scan. */
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Report } from "../facts.ts";
import { ENDED, type Intake, type Seen, type SourceBook } from "../queue/queue.ts";
import { mayHaveChangedUnseen } from "../settle/settle.ts";
import type { AfterRule } from "../source/after.ts";
import { fromKey, key, parent } from "../source/bytes.ts";
import type { Source } from "../source/source.ts";
import { TAKEN_BY_US } from "./removals.ts";
import type { Clocks } from "./sealer.ts";

export interface AfterParts {
  readonly source: Source;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly makeUuid: MakeUuid;
  readonly rule: AfterRule;
  /** Files that are acted on at once. */
  readonly parallel: number;
}

export class AfterActions {
  readonly #parts: AfterParts;
  readonly #busyFolders = new Map<string, number>();
  readonly #busy = new Map<string, Promise<void>>();
  /** In the order in which they came. */
  readonly #due = new Set<string>();
  #stopped = false;

  constructor(parts: AfterParts) {
    this.#parts = parts;
  }

  /** A receipt came for it, or a scan met it as it was sealed. Does nothing unless exactly these bytes are delivered. */
  delivered(path: Buffer): void {
    const at = key(path);
    if (this.#stopped || this.#busy.has(at)) return;
    this.#due.add(at);
    this.#next();
  }

  /** Receipts come by the thousand: a server is not asked for all of them at once. */
  #next(): void {
    for (const at of this.#due) {
      if (this.#stopped || this.#busy.size >= this.#parts.parallel) return;
      this.#due.delete(at);
      this.#begin(fromKey(at));
    }
  }

  #begin(path: Buffer): void {
    const at = key(path);
    const standing = this.#parts.intake.standing(path);
    if (!standing.current || standing.waiting !== "none") return;
    const seen = this.#parts.intake.seen(path);
    // What a coarse clock may have hidden is read once more first.
    if (seen === undefined || seen.missed === ENDED) return;
    if (mayHaveChangedUnseen(this.#parts.source.tells, seen.state, seen.sealedAt)) return;
    // Noted before it is touched: if this process ends in between, what is missing then was our own doing.
    if (!this.#noted(() => this.#parts.intake.missed([path], TAKEN_BY_US))) return;
    const folder = key(parent(path));
    this.#busyFolders.set(folder, (this.#busyFolders.get(folder) ?? 0) + 1);
    const work = this.#act(seen).finally(() => {
      this.#busy.delete(at);
      const left = (this.#busyFolders.get(folder) ?? 1) - 1;
      if (left === 0) this.#busyFolders.delete(folder);
      else this.#busyFolders.set(folder, left);
      this.#next();
    });
    this.#busy.set(at, work);
  }

  /** Whether a private name in this folder may be one that is just being acted on. */
  isActingIn(folder: Buffer): boolean {
    return this.#busyFolders.has(key(folder));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#busy.values());
  }

  async #act(seen: Seen): Promise<void> {
    const { rule, makeUuid, report, intake, book, source } = this.#parts;
    const result = await source.after.act(rule, seen, makeUuid());
    const { path } = seen;
    if (result.kind !== "done") this.#noted(() => intake.missed([path], 0));
    switch (result.kind) {
      case "away":
        // That it is away is told of the source, once; the next look at it comes back to this file.
        return;
      case "done":
        // Without room it stays noted as taken, and the next scan forgets it.
        this.#noted(() => (result.kept ? this.#ended(seen) : intake.forget(path)));
        book.recovered(path);
        return report({ kind: "AfterActionDone", source: source.name, path, action: result.action });
      case "skipped":
        return report({
          kind: "AfterActionSkipped",
          source: source.name,
          path,
          action: rule.kind,
          reason: result.reason,
        });
      case "failed":
        report({
          kind: "AfterActionSkipped",
          source: source.name,
          path,
          action: rule.kind,
          reason: result.reason,
        });
        return this.#problem(
          path,
          `it is delivered, but "after: ${rule.kind}" failed: ${result.reason}; it is tried again`,
        );
    }
  }

  /** Its place tells of it still, among the versions that it keeps: forgotten, it would be brought anew. */
  #ended(seen: Seen): void {
    const { intake, clocks } = this.#parts;
    const ended = { ...seen, sealedAt: clocks.wall(), missed: ENDED };
    intake.put([{ parcel: undefined, seen: ended, ended: true }]);
  }

  /** False when there was no room for it. */
  #noted(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
      return false;
    }
  }

  #problem(path: Buffer, detail: string): void {
    this.#parts.book.problem(path, "after-failed", detail, this.#parts.clocks.wall());
  }
}
