/** Connections, made when they are needed, kept for a while, and never more than so many. */
import { RemoteError } from "../remote.ts";
import type { Line } from "./line.ts";

export interface Pool extends AsyncDisposable {
  /** One that nobody else has until it is given back. Never one that is known to be broken. */
  take(fresh?: boolean): Promise<Taken>;
}

export interface Taken {
  readonly line: Line;
  /** It was used before: the server may have closed it since, without our knowing yet. */
  readonly used: boolean;
  /** A broken one is thrown away. */
  giveBack(): void;
}

export function newPool(open: () => Promise<Line>, most: number, idleMs: number): Pool {
  const idle: { readonly line: Line; readonly expiry: NodeJS.Timeout }[] = [];
  const waiting: (() => void)[] = [];
  const lines = new Set<Line>();
  let taken = 0;
  let opening = 0;
  /** Fewer than `most` where the server was full before that. */
  let limit = most;
  let disposed = false;

  const close = (line: Line): void => {
    lines.delete(line);
    if (lines.size === 0) limit = most;
    line.close();
  };
  const giveBack = (line: Line | undefined): void => {
    taken -= 1;
    if (line !== undefined) {
      if (line.broken || disposed) close(line);
      else {
        const expiry = setTimeout(() => {
          idle.splice(
            idle.findIndex((one) => one.line === line),
            1,
          );
          close(line);
        }, idleMs);
        expiry.unref();
        idle.push({ line, expiry });
      }
    }
    waiting.shift()?.();
  };
  const handOut = (line: Line, used: boolean): Taken => {
    let back = false;
    return {
      line,
      used,
      giveBack() {
        if (!back) giveBack(line);
        back = true;
      },
    };
  };

  return {
    async take(fresh = false) {
      for (;;) {
        while (taken >= limit && !disposed) await new Promise<void>((resolve) => waiting.push(resolve));
        if (disposed) throw new RemoteError("away", "the source has been closed");
        taken += 1;
        for (let one = idle.pop(); one !== undefined; one = idle.pop()) {
          clearTimeout(one.expiry);
          if (!fresh && !one.line.broken) return handOut(one.line, true);
          close(one.line);
        }
        opening += 1;
        try {
          const line = await open().finally(() => {
            opening -= 1;
          });
          lines.add(line);
          if (!disposed) return handOut(line, false);
          taken -= 1;
          close(line);
        } catch (error) {
          // Who is turned away because there are too many waits for one of those that are in, or just coming in.
          const others = lines.size + opening;
          const full = error instanceof RemoteError && error.retryAfter !== undefined && others > 0;
          if (full) limit = Math.min(limit, others);
          giveBack(undefined);
          if (!full) throw error;
        }
      }
    },
    [Symbol.asyncDispose]() {
      disposed = true;
      for (const { expiry } of idle.splice(0)) clearTimeout(expiry);
      for (const line of lines) close(line);
      for (const wake of waiting.splice(0)) wake();
      return Promise.resolve();
    },
  };
}
