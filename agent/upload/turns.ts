/**
 * Uploads take turns where the receiver takes fewer of a client at once than this agent would send. How many that is it
 * does not say: it is found out by what was under way when one was refused, and tried again, one more, now and then.
 * Who is refused waits and goes again; after a few tries the problem is the parcel's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { Answer } from "../identity/answer.ts";
import type { Call, Receiver } from "../identity/receiver.ts";
import { backoffMs } from "./retry.ts";

/** A client of which fewer go at once. `since` in ms since 1970. */
export interface Slowed {
  readonly client: string;
  readonly detail: string;
  readonly since: number;
  readonly atOnce: number;
}

const TRIES = 3;
/** After so long without a refusal one more is tried. */
const WIDER_AFTER_MS = 30_000;
/** More than this agent ever sends at once: nothing is known any more. */
const WIDEST = 64;
/** Whoever waits longer for its turn waits in the queue: here it would keep other clients' files from going. Parts wait: their file takes one place, however many they are. */
const PATIENCE_MS = 5_000;
const COME_AGAIN_S = 1;

export interface TurnsOptions {
  readonly receiver: Receiver;
  readonly random: () => number;
  /** ms since 1970. */
  readonly now: () => number;
}

export class InTurn implements Receiver {
  readonly #options: TurnsOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  async call(call: Call): Promise<Answer> {
    const { receiver, random, now } = this.#options;
    const client = call.headers?.[HEADER.client];
    if (client === undefined || !isUpload(call)) return await receiver.call(call);
    const lane = this.#laneOf(client);
    for (let tried = 1; ; tried += 1) {
      let retryAfter: number | undefined;
      await lane.enter(call);
      try {
        const answer = await receiver.call(call);
        lane.passed(now());
        return answer;
      } catch (cause) {
        if (!(cause instanceof ProblemError) || cause.code !== "limit-concurrent") throw cause;
        lane.refused(cause.message, now());
        if (tried === TRIES) throw cause;
        retryAfter = cause.retryAfter;
      } finally {
        lane.leave();
      }
      await pause(backoffMs(tried, retryAfter, random), call.signal);
    }
  }

  /** A bundle is one upload, however many ride in it. Nothing of it is repeated here: who rode in it goes again. */
  async lines(call: Call, take: (line: unknown) => void): Promise<void> {
    const { receiver, now } = this.#options;
    const lane = this.#laneOf(call.headers?.[HEADER.client] ?? "");
    await lane.enter(call);
    try {
      await receiver.lines(call, take);
      lane.passed(now());
    } catch (cause) {
      if (cause instanceof ProblemError && cause.code === "limit-concurrent")
        lane.refused(cause.message, now());
      throw cause;
    } finally {
      lane.leave();
    }
  }

  /** For `status`. */
  slowed(): readonly Slowed[] {
    return [...this.#lanes].flatMap(([client, lane]) => {
      const { most, since, detail } = lane;
      return since === undefined ? [] : [{ client, detail, since, atOnce: most }];
    });
  }

  #laneOf(client: string): Lane {
    const lane = this.#lanes.get(client) ?? new Lane();
    this.#lanes.set(client, lane);
    return lane;
  }
}

class Lane {
  /** Infinity: as many as there are. */
  most = Number.POSITIVE_INFINITY;
  since: number | undefined;
  detail = "";
  #underway = 0;
  #changedAt = 0;
  readonly #waiting = new Set<() => void>();

  async enter(call: Call): Promise<void> {
    const until = call.path.includes("/parts/") ? undefined : performance.now() + PATIENCE_MS;
    while (this.#underway >= this.most) {
      const leftMs = until === undefined ? undefined : until - performance.now();
      if (leftMs !== undefined && leftMs <= 0)
        throw new ProblemError("limit-concurrent", this.detail, { retryAfter: COME_AGAIN_S });
      await this.#turn(leftMs, call.signal);
    }
    this.#underway += 1;
  }

  leave(): void {
    this.#underway -= 1;
    this.#wake();
  }

  passed(now: number): void {
    if (this.since === undefined || now - this.#changedAt < WIDER_AFTER_MS) return;
    this.#changedAt = now;
    this.most += 1;
    if (this.most > WIDEST) {
      this.most = Number.POSITIVE_INFINITY;
      this.since = undefined;
    }
    this.#wake();
  }

  /** Whatever else is under way was taken; one that was refused for others' sake leaves room for one to ask again. */
  refused(detail: string, now: number): void {
    this.most = Math.max(1, Math.min(this.most, this.#underway - 1));
    this.detail = detail;
    this.since ??= now;
    this.#changedAt = now;
  }

  #wake(): void {
    for (const go of [...this.#waiting].slice(0, Math.max(0, this.most - this.#underway))) go();
  }

  #turn(forMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(go);
        clearTimeout(late);
        signal?.removeEventListener("abort", stop);
      };
      const go = (): void => {
        end();
        resolve();
      };
      const stop = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const late = forMs === undefined ? undefined : setTimeout(go, forMs);
      this.#waiting.add(go);
      signal?.addEventListener("abort", stop, { once: true });
      if (signal?.aborted) stop();
    });
  }
}

/** What the receiver counts as an upload. */
function isUpload({ method, path }: Call): boolean {
  return method === "PUT" || (method === "POST" && path.endsWith("/complete"));
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw signal?.reason ?? cause;
  }
}
