/**
 * Small files of one bundle on their way into ingest, many at a time: the next batch gathers while the one before is
 * made durable. Where the sender is slower than we are, nothing waits for a batch to be full.
 */

/** What one thing of a batch takes of memory, in all, and what may not be twice among all that is under way. */
export interface Item {
  readonly bytes: number;
  readonly marks: readonly string[];
}

const MOST_ITEMS = 256;
const MOST_BYTES = 2 ** 20;
const MOST_UNDERWAY = 2;
/** How long a batch that is not full waits for more: a commit of a few costs nearly what one of hundreds does. */
const GATHER_MS = 10;

/** Memory that all bundles together may hold. */
export class Memory {
  readonly #most: number;
  #held = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when there is room, or nothing else is held. */
  async take(bytes: number): Promise<void> {
    while (this.#held > 0 && this.#held + bytes > this.#most)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Whether `take` would not wait. */
  has(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#most;
  }
}

export class Batches<T extends Item> {
  readonly #memory: Memory;
  readonly #work: (batch: readonly T[]) => Promise<void>;
  readonly #underway = new Set<Promise<void>>();
  readonly #marks = new Set<string>();
  #gathered: T[] = [];
  #bytes = 0;
  #starved = false;
  #gathering: NodeJS.Timeout | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** `work` rejects only when nothing more is to be taken; `add` and `idle` then throw the same. */
  constructor(memory: Memory, work: (batch: readonly T[]) => Promise<void>) {
    this.#memory = memory;
    this.#work = work;
  }

  /**
   * Takes it over. Resolves when the next one may come. It counts from here on, when all of it is in hand: memory that
   * is held ahead for bytes that a slow sender keeps back would be kept from everybody.
   */
  async add(item: T): Promise<void> {
    this.#throwFailure();
    this.#starved = false;
    if (item.marks.some((mark) => this.#marks.has(mark))) await this.idle();
    if (!this.#memory.has(item.bytes)) this.#launch();
    await this.#memory.take(item.bytes);
    for (const mark of item.marks) this.#marks.add(mark);
    this.#gathered.push(item);
    this.#bytes += item.bytes;
    if (this.#gathered.length < MOST_ITEMS && this.#bytes < MOST_BYTES) return;
    while (this.#underway.size >= MOST_UNDERWAY) await Promise.race(this.#underway);
    this.#throwFailure();
    this.#launch();
  }

  /** Nothing more is here for now. */
  starved(): void {
    this.#starved = true;
    if (this.#underway.size === 0) this.#gather();
  }

  #gather(): void {
    if (this.#gathered.length > 0) this.#gathering ??= setTimeout(() => this.#launch(), GATHER_MS);
  }

  /** Resolves when all that was added is done. */
  async idle(): Promise<void> {
    this.#launch();
    while (this.#underway.size > 0) await Promise.race(this.#underway);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #launch(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const batch = this.#gathered;
    const bytes = this.#bytes;
    if (batch.length === 0) return;
    this.#gathered = [];
    this.#bytes = 0;
    const work = this.#work(batch)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#memory.give(bytes);
        for (const { marks } of batch) for (const mark of marks) this.#marks.delete(mark);
        this.#underway.delete(work);
        if (this.#starved && this.#underway.size === 0) this.#gather();
      });
    this.#underway.add(work);
  }
}
