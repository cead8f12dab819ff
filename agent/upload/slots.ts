/** A bounded number of things that are used again and again, buffers for one: who has none waits. */

/** Given back when it is disposed of. */
export interface Slot<T> extends Disposable {
  readonly value: T;
}

const REST_MS = 5_000;

export class Slots<T> {
  readonly count: number;
  readonly #make: () => T;
  readonly #most: () => number;
  readonly #idle: T[] = [];
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /**
   * Made when they are first needed, so an agent of small files never has them. `most`: how many may be taken now, where
   * that is fewer.
   */
  constructor(count: number, make: () => T, most: () => number = () => count) {
    this.count = count;
    this.#most = most;
    this.#make = make;
  }

  async take(signal: AbortSignal): Promise<Slot<T>> {
    signal.throwIfAborted();
    while (this.#taken >= Math.min(this.count, this.#most())) await this.#turn(signal);
    this.#taken += 1;
    const value = this.#idle.length > 0 ? (this.#idle.pop() as T) : this.#make();
    let given = false;
    return {
      value,
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        this.#taken -= 1;
        this.#idle.push(value);
        for (let free = Math.min(this.count, this.#most()) - this.#taken; free > 0; free -= 1)
          this.#waiting.shift()?.();
        this.#rest();
      },
    };
  }

  /** Large files are rare at most clients: memory that nobody needs goes back to the host. */
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
