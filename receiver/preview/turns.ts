/** Previews take processor and memory that deliveries need: few at once, a short queue, and a refusal behind it. */
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Turns {
  /** Runs `work` when it is its turn. Rejects with `busy` when too many wait, and with the reason of `signal`. */
  take<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
}

export function turns(most: number, waiting: number): Turns {
  const queue: (() => void)[] = [];
  let running = 0;

  const begin = (signal: AbortSignal | undefined): Promise<void> => {
    if (running < most) {
      running += 1;
      return Promise.resolve();
    }
    if (queue.length >= waiting)
      throw new ProblemError(
        "busy",
        `${running} previews are being made and ${queue.length} wait; try again in some seconds`,
        { retryAfter: 5 },
      );
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(turn), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", leave, { once: true });
      queue.push(turn);
    });
  };
  const end = (): void => {
    const next = queue.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return {
    take: async (work, signal) => {
      signal?.throwIfAborted();
      await begin(signal);
      try {
        signal?.throwIfAborted();
        return await work();
      } finally {
        end();
      }
    },
  };
}
