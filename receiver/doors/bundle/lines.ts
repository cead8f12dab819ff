/** The answer of a bundle: one JSON object a line, each sent when it is true. */
import { ProblemError as Problem, type ProblemError, problemBody } from "@tributary/shared/problems.ts";
import type { BundleLine, DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { DoorContext } from "../door.ts";
import { answersSideBySide } from "../linger.ts";

/** Lines that a sender does not read while it sends lie here and in the system's own memory. */
const MOST_UNREAD = 16 * 2 ** 20;

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
  #delivered = 0;
  #refused = 0;

  /** `idleMs`: how long a sender may leave lines unread when there are too many. */
  constructor(c: DoorContext, idleMs: number) {
    this.#c = c;
    this.#idleMs = idleMs;
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

  /** The last line, behind the problem that kept the rest of the bundle from being read. */
  end(problem: ProblemError | undefined): void {
    if (problem !== undefined)
      this.#write({ entry: null, problem: problemBody(problem, this.#c.get("requestId")) });
    this.#write({
      end: true,
      complete: problem === undefined,
      delivered: this.#delivered,
      refused: this.#refused,
    });
    this.#c.env.outgoing.end();
  }

  /** Resolves when there is room for more lines. Throws `body-too-slow` when nobody reads them. */
  async room(): Promise<void> {
    const { outgoing } = this.#c.env;
    if (outgoing.writableLength <= MOST_UNREAD) return;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(late);
        outgoing.off("drain", done).off("close", done);
        resolve();
      };
      const late = setTimeout(() => {
        done();
        reject(new Problem("body-too-slow", "the answer is not read: read its lines while you send"));
      }, this.#idleMs);
      outgoing.on("drain", done).on("close", done);
    });
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
