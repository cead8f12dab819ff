/** A bounded number of buffers that are used again and again: who has none waits. */

/** Given back when it is disposed of. */
export interface Slot extends Disposable {
  readonly buffer: Buffer;
}

const REST_MS = 5_000;

export class Slots {
  readonly count: number;
  readonly #bytes: number;
  readonly #most: () => number;
  readonly #idle: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /**
   * Buffers are made when they are first needed, so an agent of small files never has them. `most`: how many may be
   * taken now, where that is fewer.
   */
  constructor(count: number, bytes: number, most: () => number = () => count) {
    this.count = count;
    this.#most = most;
    this.#bytes = bytes;
  }

  async take(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    while (this.#taken >= Math.min(this.count, this.#most())) await this.#turn(signal);
    this.#taken += 1;
    const buffer = this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
    let given = false;
    return {
      buffer,
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        this.#taken -= 1;
        this.#idle.push(buffer);
        for (let free = Math.min(this.count, this.#most()) - this.#taken; free > 0; free -= 1)
          this.#waiting.shift()?.();
        this.#rest();
      },
    };
  }

  /** Large files are rare at most clients: buffers that nobody needs go back to the host. */
  #rest(): void {
    if (this.#taken > 0) return;
    const resting = setTimeout(() => {
      if (this.#taken === 0) this.#idle.length = 0;
    }, REST_MS);
    resting.unref();
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        const at = this.#waiting.indexOf(go);
        if (at !== -1) this.#waiting.splice(at, 1);
        reject(signal.reason as Error);
      };
      this.#waiting.push(go);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
