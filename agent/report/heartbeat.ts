/**
 * The heartbeat: tells the receiver how this agent is, and takes up what it answers. The nonce it brings is stored
 * before it is used, so that of two hosts with one identity the receiver sees one fall behind.
 */
import { hostname } from "node:os";
import { displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  COMMANDS,
  type CommandOutcome,
  type HeartbeatRequest,
  heartbeatAnswer,
  ROUTE,
  type SourceState,
} from "@tributary/shared/protocol.ts";
import type { ReceiverClock } from "../identity/clock.ts";
import type { Standing } from "../identity/identity.ts";
import type { Receiver } from "../identity/receiver.ts";
import { mergeTrust } from "../identity/trust.ts";
import type { QueueStatus } from "../queue/status.ts";
import { cut } from "./cut.ts";
import type { Orders } from "./orders.ts";
import { type Pipes, sourceKey } from "./pipe.ts";

export interface HeartbeatOptions {
  readonly receiver: Pick<Receiver, "call">;
  readonly clock: ReceiverClock;
  readonly standing: () => Standing;
  /** Stores durably, then uses. */
  readonly take: (standing: Standing) => void;
  readonly queue: Pick<QueueStatus, "depth" | "problems">;
  readonly sources: () => SourceState[];
  /** What waits where, and why. */
  readonly pipes: () => Pipes;
  readonly version: string;
  readonly orders: Pick<Orders, "take" | "done" | "told">;
  /** What agent.yaml does not allow of what this agent knows. */
  readonly denies: () => readonly string[];
  /** Whether nothing leaves, as the centre wished. */
  readonly paused: () => boolean;
  readonly heard: () => void;
  readonly refused: (problem: ProblemError) => void;
  /** What no problem names: a fault of this program. The next beat comes all the same. */
  readonly fault: (cause: unknown) => void;
  /** What leaves the house of the words of problems: no secret. */
  readonly words: (text: string) => string;
  readonly random: () => number;
}

const MOST_PROBLEMS = 100;
/** What this version can do when it is asked. */
const KNOWS: readonly string[] = [...COMMANDS, "pause"];
/** With no right to act the receiver is asked rarely, for as long as it takes: an administrator mends it there. */
const REFUSED_MS = 60_000;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #running = false;
  readonly #stop = new AbortController();

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Resolves when the first beat is over, whatever became of it. */
  async start(): Promise<void> {
    this.#running = true;
    await this.beat().catch(() => {});
  }

  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#stop.abort(new Error("the agent stops"));
    await this.#beating?.catch(() => {});
  }

  /** One beat now, for whoever needs to know whether the receiver is there; asked twice at once it beats once. */
  beat(): Promise<void> {
    this.#beating ??= this.#once().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** A beat that begins after this call: what is to be told is told with it. One that fails is made up for by the next. */
  async tell(): Promise<void> {
    await this.#beating?.catch(() => {});
    if (this.#running) await this.beat().catch(() => {});
  }

  async #once(): Promise<void> {
    const { heard, refused, fault, standing, random } = this.#options;
    clearTimeout(this.#timer);
    let waitMs = standing().heartbeatSeconds * 1000;
    try {
      await this.#exchange();
      waitMs = standing().heartbeatSeconds * 1000;
      heard();
    } catch (cause) {
      if (cause instanceof ProblemError) {
        waitMs = Math.max(waitMs, cause.retry ? (cause.retryAfter ?? 0) * 1000 : REFUSED_MS);
        refused(cause);
      } else if (!this.#stop.signal.aborted) fault(cause);
      throw cause;
    } finally {
      // Spread by a tenth, so that a fleet that was switched on together does not stay together.
      const jittered = waitMs * (0.9 + 0.2 * random());
      if (this.#running) this.#timer = setTimeout(() => void this.beat().catch(() => {}), jittered);
    }
  }

  async #exchange(): Promise<void> {
    const { receiver, clock, standing, take, orders } = this.#options;
    const done = orders.done();
    const { json } = await receiver.call({
      method: "POST",
      path: ROUTE.heartbeat,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(this.#state(done)),
      signal: this.#stop.signal,
    });
    const answer = heartbeatAnswer.safeParse(json);
    if (!answer.success)
      throw new ProblemError("receiver-unreachable", "the answer to the heartbeat cannot be read", {
        cause: answer.error,
      });
    const { nonce, heartbeatSeconds, clients, trust, jwks, commands, paused, pausedBy } = answer.data;
    const before = standing();
    const since = before.pause?.since ?? new Date(clock.now()).toISOString();
    take({
      ...before,
      nonce,
      heartbeatSeconds,
      clients,
      jwks,
      trust: mergeTrust(before.trust, trust, clock.now()),
      // A receiver of before wishes nothing: whoever paused this agent cannot resume it there.
      pause: paused === true ? { since, by: pausedBy ?? "" } : undefined,
    });
    orders.told(done);
    orders.take(commands);
  }

  #state(done: readonly CommandOutcome[]): HeartbeatRequest {
    const { clock, standing, queue, sources, version, words, pipes, denies, paused } = this.#options;
    const { all, of } = pipes();
    const { depth, bytes, oldestSealedAt, aside } = queue.depth();
    return {
      nonce: standing().nonce,
      version,
      host: hostname().slice(0, 255),
      clock: new Date(clock.now() - clock.skewMs()).toISOString(),
      skewMs: clock.skewMs(),
      queue: { depth, bytes, aside, ...(oldestSealedAt === undefined ? {} : { oldestSealedAt }) },
      sources: sources().map((one) => {
        const pipe = of.get(sourceKey(one.client, one.name));
        return {
          ...one,
          ...(one.reason === undefined ? {} : { reason: cut(words(one.reason)) }),
          ...(pipe === undefined ? {} : { pipe }),
        };
      }),
      problems: queue.problems(MOST_PROBLEMS).map(({ source, path, code, detail, since }) => ({
        source,
        path: cut(displayPath(path)),
        code,
        detail: cut(words(detail)),
        since,
      })),
      configurationRevision: 0,
      knows: [...KNOWS],
      denies: [...denies()],
      paused: paused(),
      ...(done.length === 0 ? {} : { done: [...done] }),
      pipe: all,
    };
  }
}
