/** Sealing in parallel, a few files at a time; large files keep to their own share, so that small ones do not starve. */
import { setImmediate } from "node:timers/promises";
import { CHUNK } from "./seal.ts";

export interface Job {
  readonly size: number;
  /** Must not throw. `buffer` is its own for as long as it runs. */
  run(buffer: Buffer): Promise<void>;
}

const LARGE = 64 * 2 ** 20;
/** Small files are read while everything waits: after so long the others get their turn. */
const SLICE_MS = 4;

export class Lanes {
  readonly #small: Job[] = [];
  readonly #large: Job[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #most: number;
  #running = 0;
  #sliceFrom = 0;
  #runningLarge = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(lanes = 4) {
    this.#most = lanes;
  }

  add(job: Job): void {
    (job.size > LARGE ? this.#large : this.#small).push(job);
    this.#start();
  }

  /** What has begun ends; what has not is dropped: the next start finds it again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#small.length = 0;
    this.#large.length = 0;
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #start(): void {
    while (this.#running < this.#most && !this.#stopped) {
      const job = this.#next();
      if (job === undefined) return;
      void this.#run(job);
    }
  }

  /** One large file always moves on; a second only while no small one waits. */
  #next(): Job | undefined {
    const largeAllowed = this.#runningLarge === 0 || (this.#runningLarge === 1 && this.#small.length === 0);
    return (largeAllowed ? this.#large.shift() : undefined) ?? this.#small.shift();
  }

  async #run(job: Job): Promise<void> {
    const large = job.size > LARGE;
    this.#running += 1;
    if (large) this.#runningLarge += 1;
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
    try {
      if (performance.now() - this.#sliceFrom > SLICE_MS) {
        await setImmediate();
        this.#sliceFrom = performance.now();
      }
      await job.run(buffer);
    } finally {
      this.#running -= 1;
      if (large) this.#runningLarge -= 1;
      this.#buffers.push(buffer);
      this.#start();
      if (this.#running === 0) {
        this.#buffers.length = 0;
        for (const resolve of this.#idle.splice(0)) resolve();
      }
    }
  }
}
