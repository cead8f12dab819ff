/** The answer of a bundle: one JSON object a line, each sent when it is true. */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError as Problem, type ProblemError, problemBody } from "@tributary/shared/problems.ts";
import type { BundleLine, DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { StillAllowed } from "../../ingest/ingest.ts";
import type { DoorContext } from "../door.ts";
import { answersSideBySide } from "../linger.ts";

/**
 * Bytes of lines that a sender does not read while it sends: here, and then in the system's own memory. So many of one
 * bundle, where all bundles together hold less than the second.
 */
const MOST_UNREAD = 16 * 2 ** 20;
const MOST_UNREAD_OF_ALL = 64 * 2 ** 20;
/** What each may hold whatever the others do. */
const UNREAD = 128 * 2 ** 10;
const LOOK_EVERY_MS = 100;

/** Which entry a problem is of. */
export interface Named {
  readonly number: number;
  /** For reading; undefined when it has none. */
  readonly path: string | undefined;
  readonly captureId: string | undefined;
}

export class Lines {
  readonly #c: DoorContext;
  readonly #idleMs: number;
  readonly #open: Set<Lines>;
  #delivered = 0;
  #refused = 0;

  /** `idleMs`: how long a sender may leave lines unread when there are too many. `open`: all that are being written, this one from now on. */
  constructor(c: DoorContext, idleMs: number, open: Set<Lines>) {
    this.#c = c;
    this.#idleMs = idleMs;
    this.#open = open.add(this);
  }

  /** Nothing more is written, or it is not written here. To be called once, whatever became of it. */
  close(): void {
    this.#open.delete(this);
  }

  get unread(): number {
    return this.#c.env.outgoing.writableLength;
  }

  /** Whether an answer has begun: what goes wrong now is told in a line. */
  get begun(): boolean {
    return this.#c.env.outgoing.headersSent;
  }

  receipt(entry: number, answer: DeliveryAnswer): void {
    this.#delivered += 1;
    this.#write({ entry, ...answer });
  }

  problem({ number, path, captureId }: Named, problem: ProblemError): void {
    this.#refused += 1;
    this.#write({
      entry: number,
      ...(path === undefined ? {} : { path }),
      ...(captureId === undefined ? {} : { captureId }),
      problem: problemBody(problem, this.#c.get("requestId")),
    });
  }

  /**
   * The last line, behind the problem that kept the rest of the bundle from being read. Resolves when all lines have
   * left; a connection over which nobody takes them is cut, or their memory would be held for as long as it stands.
   */
  async end(problem: ProblemError | undefined): Promise<void> {
    const { outgoing } = this.#c.env;
    if (problem !== undefined)
      this.#write({ entry: null, problem: problemBody(problem, this.#c.get("requestId")) });
    this.#write({
      end: true,
      complete: problem === undefined,
      delivered: this.#delivered,
      refused: this.#refused,
    });
    outgoing.end();
    await this.#read(() => outgoing.writableFinished || outgoing.destroyed).catch(() => outgoing.destroy());
  }

  /** Resolves when there is room for more lines. Throws `body-too-slow` when nobody reads them, `length-mismatch` when nobody is there, and what `stillAllowed` throws. */
  async room(stillAllowed: StillAllowed): Promise<void> {
    await this.#read(() => {
      stillAllowed();
      if (this.#isFull() && this.#c.env.outgoing.destroyed)
        throw new Problem("length-mismatch", "the connection ended before the body did");
      return !this.#isFull();
    });
  }

  /** Resolves when it is so; throws `body-too-slow` when for too long no line leaves before that. */
  async #read(isSo: () => boolean): Promise<void> {
    for (let [least, at] = [this.unread, performance.now()]; !isSo(); ) {
      await sleep(LOOK_EVERY_MS);
      if (this.unread < least) [least, at] = [this.unread, performance.now()];
      else if (performance.now() - at > this.#idleMs)
        throw new Problem("body-too-slow", "the answer is not read: read its lines while you send");
    }
  }

  #isFull(): boolean {
    if (this.unread <= UNREAD) return false;
    if (this.unread > MOST_UNREAD) return true;
    let all = 0;
    for (const { unread } of this.#open) all += unread;
    return all > MOST_UNREAD_OF_ALL;
  }

  #write(line: BundleLine): void {
    const { outgoing } = this.#c.env;
    if (!outgoing.headersSent) {
      answersSideBySide(outgoing);
      outgoing.writeHead(200, {
        "content-type": "application/x-ndjson",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        [HEADER.requestId]: this.#c.get("requestId"),
      });
    }
    outgoing.write(`${JSON.stringify(line)}\n`);
  }
}
