/** What attempts came to and the ledger was not told yet. */
import type { FailedEvent, Progress } from "./rows.ts";

export type Taken = Omit<Progress, "cursor" | "health" | "at">;

const NOTHING: Taken = {
  delivered: [],
  failed: [],
  successAt: undefined,
  failure: undefined,
  gone: false,
  hasten: false,
};

export class Unrecorded {
  #taken = NOTHING;
  #first: number | undefined;

  get any(): boolean {
    return this.#first !== undefined;
  }

  /** For how long something has waited here, ms of `performance.now()`. */
  since(at: number): number {
    return this.#first === undefined ? 0 : at - this.#first;
  }

  knows(versionId: string): boolean {
    const { delivered, failed } = this.#taken;
    return delivered.includes(versionId) || failed.some((event) => event.versionId === versionId);
  }

  /** `at` undefined: it needs no row any more, though nobody took it. */
  delivered(versionId: string, at?: number): void {
    this.#add({ delivered: [...this.#taken.delivered, versionId], successAt: at ?? this.#taken.successAt });
  }

  failed(event: FailedEvent, at: number): void {
    this.#add({ failed: [...this.#taken.failed, event], failure: { at, why: event.why } });
  }

  gone(why: string, at: number): void {
    this.#add({ gone: true, failure: { at, why } });
  }

  hasten(): void {
    this.#add({ hasten: true });
  }

  take(): Taken {
    const taken = this.#taken;
    this.#taken = NOTHING;
    this.#first = undefined;
    return taken;
  }

  /** The ledger did not take it; what came meanwhile is younger. */
  putBack(taken: Taken): void {
    const since = this.#taken;
    this.#add({
      delivered: [...taken.delivered, ...since.delivered],
      failed: [...taken.failed, ...since.failed],
      successAt: since.successAt ?? taken.successAt,
      failure: since.failure ?? taken.failure,
      gone: taken.gone || since.gone,
      hasten: taken.hasten || since.hasten,
    });
  }

  #add(more: Partial<Taken>): void {
    this.#taken = { ...this.#taken, ...more };
    this.#first ??= performance.now();
  }
}
