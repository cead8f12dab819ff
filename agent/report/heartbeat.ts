/**
 * The heartbeat: tells the receiver how this agent is, and takes up what it answers. The nonce it brings is stored
 * before it is used, so that of two hosts with one identity the receiver sees one fall behind.
 */
import { hostname } from "node:os";
import { displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  type Command,
  type HeartbeatRequest,
  heartbeatAnswer,
  ROUTE,
  type SourceState,
  WORDS_MOST,
} from "@tributary/shared/protocol.ts";
import type { ReceiverClock } from "../identity/clock.ts";
import type { Standing } from "../identity/identity.ts";
import type { Receiver } from "../identity/receiver.ts";
import { mergeTrust } from "../identity/trust.ts";
import type { QueueStatus } from "../queue/status.ts";

export interface HeartbeatOptions {
  readonly receiver: Pick<Receiver, "call">;
  readonly clock: ReceiverClock;
  readonly standing: () => Standing;
  /** Stores durably, then uses. */
  readonly take: (standing: Standing) => void;
  readonly queue: Pick<QueueStatus, "depth" | "problems">;
  readonly sources: () => SourceState[];
  readonly version: string;
  readonly command: (command: Command) => void;
  readonly heard: () => void;
  readonly refused: (problem: ProblemError) => void;
  /** What no problem names: a fault of this program. The next beat comes all the same. */
  readonly fault: (cause: unknown) => void;
  /** What leaves the house of the words of problems: no secret. */
  readonly words: (text: string) => string;
  readonly random: () => number;
}

const MOST_PROBLEMS = 100;
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
    const { receiver, clock, standing, take, command } = this.#options;
    const { json } = await receiver.call({
      method: "POST",
      path: ROUTE.heartbeat,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(this.#state()),
      signal: this.#stop.signal,
    });
    const answer = heartbeatAnswer.safeParse(json);
    if (!answer.success)
      throw new ProblemError("receiver-unreachable", "the answer to the heartbeat cannot be read", {
        cause: answer.error,
      });
    const { nonce, heartbeatSeconds, clients, trust, jwks, commands } = answer.data;
    const before = standing();
    take({
      ...before,
      nonce,
      heartbeatSeconds,
      clients,
      jwks,
      trust: mergeTrust(before.trust, trust, clock.now()),
    });
    for (const one of commands) command(one);
  }

  #state(): HeartbeatRequest {
    const { clock, standing, queue, sources, version, words } = this.#options;
    const { depth, bytes, oldestSealedAt, aside } = queue.depth();
    return {
      nonce: standing().nonce,
      version,
      host: hostname().slice(0, 255),
      clock: new Date(clock.now() - clock.skewMs()).toISOString(),
      skewMs: clock.skewMs(),
      queue: { depth, bytes, aside, ...(oldestSealedAt === undefined ? {} : { oldestSealedAt }) },
      sources: sources().map((one) =>
        one.reason === undefined ? one : { ...one, reason: cut(words(one.reason)) },
      ),
      problems: queue.problems(MOST_PROBLEMS).map(({ source, path, code, detail, since }) => ({
        source,
        path: cut(displayPath(path)),
        code,
        detail: cut(words(detail)),
        since,
      })),
      configurationRevision: 0,
    };
  }
}

/** What does not fit the wire would have the whole heartbeat refused, and the agent would seem to be gone. */
function cut(text: string): string {
  return text.length <= WORDS_MOST ? text : `${text.slice(0, WORDS_MOST - 1).toWellFormed()}…`;
}
