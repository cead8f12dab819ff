/** Opening the queue on a disk that may be full. */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";

const AGAIN_MS = 10_000;

/**
 * What `open` opens, asked again while it throws `disk-full`: a program that ended instead would be started so often
 * that its service manager gives up on it. `told` hears of it once. Undefined: stopped before there was room.
 */
export async function openWhenRoom<T>(
  open: () => T,
  told: (problem: ProblemError) => void,
  stop: AbortSignal,
  againMs = AGAIN_MS,
): Promise<T | undefined> {
  for (let tries = 0; !stop.aborted; tries += 1) {
    try {
      return open();
    } catch (cause) {
      if (!(cause instanceof ProblemError) || cause.code !== "disk-full") throw cause;
      if (tries === 0) told(cause);
      await sleep(againMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
  return undefined;
}
