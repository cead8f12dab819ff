/**
 * Uploads at once of a client, an agent, an API key or an SFTP account, over all receivers. This receiver has as many slots as it needs
 * and gives back within half a second what it no longer does, so that a stream of small files asks nobody.
 */
import type { Counts } from "./counts.ts";
import { SLOTS_MS } from "./counts.ts";
import { keyOf, type Subject } from "./subject.ts";

/** How often is looked whether there are slots to give back. */
const LOOK_EVERY_MS = 200;
/** Others had all that is left: for so long they are not asked again. */
const FULL_MS = 200;

export class UploadLimits {
  readonly #counts: Pick<Counts, "hold">;
  readonly #slots = new Map<string, Slots>();
  #timer: NodeJS.Timeout | undefined;
  readonly #lookEveryMs: number;

  constructor(counts: Pick<Counts, "hold">, lookEveryMs = LOOK_EVERY_MS) {
    this.#counts = counts;
    this.#lookEveryMs = lookEveryMs;
  }

  /** A slot of each of these until the answer is called; or the one of them that has none left. */
  async take(
    subjects: readonly Subject<number>[],
  ): Promise<{ readonly release: () => void } | { readonly full: Subject<number> }> {
    const taken: Slots[] = [];
    const release = (): void => {
      for (const slots of taken.splice(0)) slots.leave();
    };
    for (const subject of subjects) {
      const slots = this.#slotsOf(subject);
      if (await slots.enter(subject.most)) {
        taken.push(slots);
        continue;
      }
      release();
      return { full: subject };
    }
    return { release };
  }

  /** For a graceful stop: others need not wait until ours run out. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await Promise.all([...this.#slots.values()].map((slots) => slots.giveBack()));
  }

  #slotsOf(subject: Subject<number>): Slots {
    const key = keyOf(subject);
    const slots = this.#slots.get(key) ?? new Slots(key, this.#counts);
    this.#slots.set(key, slots);
    this.#timer ??= setInterval(() => this.#look(), this.#lookEveryMs).unref();
    return slots;
  }

  #look(): void {
    for (const [key, slots] of this.#slots) if (!slots.look()) this.#slots.delete(key);
    if (this.#slots.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

class Slots {
  readonly #subject: string;
  readonly #counts: Pick<Counts, "hold">;
  #used = 0;
  #waiting = 0;
  /** Most that were used since the last look. */
  #peak = 0;
  #has = 0;
  #most = 0;
  #saidAt = 0;
  #fullUntil = 0;
  /** Questions follow one another: the last answer is what holds. */
  #last: Promise<unknown> = Promise.resolve();
  #asked = 0;

  constructor(subject: string, counts: Pick<Counts, "hold">) {
    this.#subject = subject;
    this.#counts = counts;
  }

  async enter(most: number): Promise<boolean> {
    this.#most = most;
    for (;;) {
      if (this.#used >= most) return false;
      if (this.#used < this.#has) {
        this.#used += 1;
        this.#peak = Math.max(this.#peak, this.#used);
        return true;
      }
      if (performance.now() < this.#fullUntil) return false;
      this.#waiting += 1;
      const enough = await this.#ask(() => Math.min(most, this.#used + this.#waiting));
      this.#waiting -= 1;
      if (enough || this.#used < this.#has) continue;
      this.#fullUntil = performance.now() + FULL_MS;
      return false;
    }
  }

  leave(): void {
    this.#used -= 1;
  }

  /** Gives back what was not used since the last look, and says again what is. False when it has nothing any more. */
  look(): boolean {
    const needed = Math.max(this.#peak, this.#used);
    this.#peak = this.#used;
    const idle = this.#asked === 0 && this.#waiting === 0;
    if (idle && needed < this.#has) void this.#ask(() => Math.max(this.#peak, this.#used));
    else if (idle && this.#has > 0 && performance.now() - this.#saidAt > SLOTS_MS / 3)
      void this.#ask(() => this.#has);
    return !idle || this.#has > 0 || this.#used > 0;
  }

  async giveBack(): Promise<void> {
    if (this.#has > 0) await this.#ask(() => 0);
  }

  /** Whether we have as many as we asked for. */
  #ask(wantedNow: () => number): Promise<boolean> {
    this.#asked += 1;
    const answer = this.#last.then(async () => {
      const wanted = wantedNow();
      if (wanted === this.#has && wanted > 0 && performance.now() - this.#saidAt < SLOTS_MS / 3) return true;
      // What is to be given back is nobody's from here on.
      this.#has = Math.min(this.#has, wanted);
      this.#saidAt = performance.now();
      try {
        this.#has = await this.#counts.hold(this.#subject, wanted, this.#most);
      } catch {
        // Whoever keeps the counts does not answer: nobody is refused for that, and each receiver keeps to the limit by itself.
        this.#has = wanted;
      }
      return this.#has >= wanted;
    });
    this.#last = answer;
    return answer.finally(() => {
      this.#asked -= 1;
    });
  }
}
