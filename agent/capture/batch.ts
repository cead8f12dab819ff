/** Sealings on their way into the queue: those of one moment go in one commit, because fsync decides the speed. */
import type { Intake, Sealing } from "../queue/queue.ts";

export interface BatchEvents {
  readonly full: (detail: string) => void;
  readonly roomAgain: () => void;
}

const GATHER_MS = 4;
const MOST = 1000;
/** Where the disk takes long for a commit, more is gathered for the next: it has this share of the time at most. */
const DISK_SHARE = 1 / 5;
/** A disk that stumbled once must not slow down what comes after. */
const MOST_COMMIT_MS = 25;
const RETRY_MS = 2_000;

export class Batch {
  readonly #intake: Intake;
  readonly #events: BatchEvents;
  readonly #retryMs: number;
  #waiting: { readonly sealing: Sealing; readonly stored: (stored: boolean) => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What the commit before took. */
  #commitMs = 0;
  #full = false;
  #stopped = false;

  constructor(intake: Intake, events: BatchEvents, retryMs = RETRY_MS) {
    this.#intake = intake;
    this.#events = events;
    this.#retryMs = retryMs;
  }

  /** Resolves when it is stored (true), or given up because the agent stops (false). Waits while the disk is full. */
  async put(sealing: Sealing): Promise<boolean> {
    if (this.#stopped) return false;
    return await new Promise((stored) => {
      this.#waiting.push({ sealing, stored });
      if (this.#waiting.length >= MOST && !this.#full) this.#flush();
      else
        this.#timer ??= setTimeout(
          () => this.#flush(),
          Math.max(GATHER_MS, this.#commitMs * (1 / DISK_SHARE - 1)),
        );
    });
  }

  stop(): void {
    if (this.#waiting.length > 0) this.#flush();
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { stored } of this.#waiting.splice(0)) stored(false);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    const from = performance.now();
    try {
      this.#intake.put(batch.map(({ sealing }) => sealing));
    } catch (error) {
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
      this.#waiting = [...batch, ...this.#waiting];
      this.#full = true;
      this.#events.full((error as Error).message);
      this.#timer = setTimeout(() => this.#flush(), this.#retryMs);
      return;
    }
    this.#commitMs = Math.min(MOST_COMMIT_MS, performance.now() - from);
    if (this.#full) {
      this.#full = false;
      this.#events.roomAgain();
    }
    for (const { stored } of batch) stored(true);
  }
}
