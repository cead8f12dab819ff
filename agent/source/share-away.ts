/**
 * Whose trouble it is when something on a share fails: the file's own, or that of the share whose server is gone. A mount
 * goes on answering from what it knew for a moment after that, and an answer may fail when the server is back already:
 * so what fails is tried again for some seconds, and the share asked each time, before a file or a folder is blamed.
 */
import { setTimeout } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { errorCode } from "./disk.ts";
import type { RootHealth } from "./source.ts";

/** What a share says of all that lies there once its server is gone. */
const AWAY = /^(EIO|ENOTCONN|ESTALE|ETIMEDOUT|ECONN\w+|EHOST\w+|ENET\w+)$/;
/** Milliseconds between the tries. */
const DOUBTS_MS: readonly number[] = [500, 1_000, 1_500, 2_000];
/** Once it was waited in vain, what fails alike soon afterwards fails at once: a thousand damaged files are a thousand. */
const SETTLED_MS = 60_000;

/** Nothing can be had of the share: no file is to be blamed for it. The message is the share's reason. */
export class Away extends Error {}

export interface ShareAway {
  /** Does `act`, again where the failure may be the share's; throws `Away`, or what `act` throws. */
  surely<T>(act: () => Promise<T>): Promise<T>;
  /** Whether what failed with `error` may be had the next time, as `act` tells, which does the same again. */
  mayPass(error: unknown, act: () => Promise<void>): Promise<boolean>;
  /** What is to be thrown where the bytes of an open file cannot be read. */
  unread(error: unknown): Promise<Error>;
}

export function shareAway(
  health: () => Promise<RootHealth>,
  doubtsMs: readonly number[] = DOUBTS_MS,
): ShareAway {
  /** Until when (steady milliseconds) the share is known to be there while files of it fail. */
  let settledUntil = 0;
  const perhaps = (error: unknown): boolean => AWAY.test(errorCode(error) ?? "");

  async function surely<T>(act: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await act();
      } catch (error) {
        if (!perhaps(error)) throw error;
        const found = await health();
        if (!found.healthy) throw new Away(found.reason, { cause: error });
        const wait = performance.now() < settledUntil ? undefined : doubtsMs[tries];
        if (wait === undefined) {
          if (tries > 0) settledUntil = performance.now() + SETTLED_MS;
          throw error;
        }
        await setTimeout(wait);
      }
    }
  }

  return {
    surely,
    async mayPass(error, act) {
      if (error instanceof Away) return true;
      if (!perhaps(error)) return false;
      try {
        await surely(act);
        return true;
      } catch (again) {
        return again instanceof Away;
      }
    },
    async unread(error) {
      const found = perhaps(error) ? await health() : undefined;
      if (found === undefined || found.healthy) return error as Error;
      return new ProblemError("source-unreachable", found.reason, { cause: error });
    },
  };
}

/** A local disk has no server: what fails there fails. */
export const neverAway: ShareAway = {
  surely: (act) => act(),
  mayPass: async () => false,
  unread: async (error) => error as Error,
};
