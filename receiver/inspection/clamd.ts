/**
 * ClamAV's daemon as inspector (clamd(8), COMMANDS): a line for each file, `zINSTREAM\0`, then the bytes in chunks, each
 * behind its length in 4 bytes (big-endian), a length of 0 at the end; the answer is one text that ends with NUL.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Inspector, Verdict } from "./inspection.ts";
import { Sessions } from "./sessions.ts";

/** A Unix socket, or a host and a port. */
export type ClamdAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export interface ClamdOptions {
  readonly address: ClamdAddress;
  /** Not above clamd's own StreamMaxLength and MaxFileSize. */
  readonly largest: number;
  /** Files that it looks into at once. */
  readonly sessions: number;
  /** How long it may look into one file, in ms. */
  readonly withinMs: number;
}

const CHUNK = 256 * 1024;
const MOST_ANSWER = 64 * 1024;
const CHECK_MS = 5000;
/** How long it may take to refuse a length; one that it takes it says nothing to. */
const ANNOUNCED_MS = 2000;
const RETRY_SECONDS = 10;

/** Connects for each file anew, so a clamd that was restarted is there again at once. */
export function clamd({ address, largest, sessions, withinMs }: ClamdOptions): Inspector {
  const places = new Sessions(sessions);
  const where = "path" in address ? address.path : `${address.host}:${address.port}`;
  const unavailable = (what: string, cause?: unknown): ProblemError =>
    new ProblemError("inspection-unavailable", `clamd at ${where} ${what}; until it answers, files wait`, {
      cause,
      retryAfter: RETRY_SECONDS,
    });

  /** One command on a line of its own; `send` writes what follows it. */
  const ask = async (
    command: string,
    signal: AbortSignal,
    send: (line: Line) => Promise<void>,
  ): Promise<string> => {
    const line = new Line(address, signal);
    try {
      await line.write(Buffer.from(`z${command}\0`));
      await send(line);
      return await line.answer;
    } catch (cause) {
      // It may have said why before it hung up on us.
      const said = line.said();
      if (said !== undefined) return said;
      if (!(cause instanceof LineFault)) throw cause;
      throw unavailable(cause.message, cause);
    } finally {
      line.end();
    }
  };

  const inspect = async (bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Verdict> => {
    let whole = false;
    const answer = await ask("INSTREAM", signal, async (line) => {
      for await (const chunk of bytes) {
        if (line.said() !== undefined) return;
        for (let at = 0; at < chunk.length; at += CHUNK)
          await line.write(framed(chunk.subarray(at, at + CHUNK)));
      }
      await line.write(Buffer.alloc(4));
      whole = true;
    });
    if (answer === "stream: OK" && whole) return { kind: "clean" };
    const finding = /^stream: (.+) FOUND$/s.exec(answer)?.[1];
    if (finding !== undefined) return { kind: "found", finding: oneLine(finding) };
    if (isTooLarge(answer)) return { kind: "larger" };
    throw unavailable(`answered: ${oneLine(answer)}${whole ? "" : ", before it had the whole file"}`);
  };

  /**
   * What it does not take it refuses in the middle and hangs up, and that answer is often lost behind what we still
   * write. It compares the length of a chunk before it reads one: a chunk that is only announced has its answer heard.
   */
  const refusesSize = async (size: number): Promise<boolean> => {
    const announced = Buffer.alloc(4);
    announced.writeUInt32BE(Math.min(size, 2 ** 32 - 1));
    try {
      const answer = await within(ANNOUNCED_MS, "takes that many bytes", (late) =>
        ask("INSTREAM", late, (line) => line.write(announced)),
      );
      return isTooLarge(answer);
    } catch {
      return false;
    }
  };

  return {
    largest,
    async inspect(bytes, size) {
      if (size > largest) return { kind: "larger" };
      return await places.hold(async () => {
        try {
          return await within(withinMs, `gave no verdict within ${withinMs / 1000} s`, (late) =>
            inspect(bytes, late),
          );
        } catch (error) {
          if (isHangUp(error) && (await refusesSize(size))) return { kind: "larger" };
          // Whatever waits would meet the same. An answer says something of the one file alone.
          if (isLineFault(error)) places.refuseWaiting(error);
          throw error;
        }
      });
    },
    async check() {
      const answer = await within(CHECK_MS, `said nothing for ${CHECK_MS / 1000} s`, (signal) =>
        ask("VERSION", signal, async () => {}),
      );
      if (!answer.startsWith("ClamAV ")) throw unavailable(`answered: ${oneLine(answer)}`);
      return `${oneLine(answer)} at ${where}`;
    },
  };
}

function isTooLarge(answer: string): boolean {
  return /^INSTREAM size limit exceeded/.test(answer);
}

/** What went wrong on the way to clamd and back. `hungUp`: the line was there, and it ended it. */
class LineFault extends Error {
  readonly hungUp: boolean;

  constructor(message: string, { hungUp = false, ...options }: { hungUp?: boolean; cause?: unknown } = {}) {
    super(message, options);
    this.hungUp = hungUp;
  }
}

function isLineFault(error: unknown): boolean {
  return (error as Error).cause instanceof LineFault;
}

function isHangUp(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof LineFault && cause.hungUp;
}

async function within<T>(ms: number, what: string, work: (late: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new LineFault(what)), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** One connection, one answer. */
class Line {
  readonly answer: Promise<string>;
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #text = "";
  #connected = false;

  constructor(address: ClamdAddress, signal: AbortSignal) {
    this.#signal = signal;
    this.#socket = connect({ ...address, signal });
    this.#socket.setEncoding("utf8");
    this.#socket.once("connect", () => {
      this.#connected = true;
    });
    this.answer = new Promise((resolve, reject) => {
      this.#socket.on("data", (text: string) => {
        this.#text += text;
        const said = this.said();
        if (said !== undefined) resolve(said);
        else if (this.#text.length > MOST_ANSWER) reject(new LineFault("answered at great length"));
      });
      this.#socket.on("error", (cause) =>
        reject(
          signal.aborted
            ? signal.reason
            : new LineFault(`failed: ${cause.message}`, { hungUp: this.#connected, cause }),
        ),
      );
      this.#socket.on("close", () => reject(new LineFault("hung up without an answer", { hungUp: true })));
    });
    // Told to whoever awaits it; often nobody does any more.
    this.answer.catch(() => {});
  }

  /** What it answered, once that is whole. */
  said(): string | undefined {
    const end = this.#text.indexOf("\0");
    return end === -1 ? undefined : this.#text.slice(0, end);
  }

  /** Resolves when more may be written. Rejects with a LineFault when nobody reads any more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.said() !== undefined) return void (await this.answer);
    if (this.#socket.write(bytes)) return;
    await Promise.race([once(this.#socket, "drain", { signal: this.#signal }).catch(() => {}), this.answer]);
  }

  end(): void {
    this.#socket.destroy();
  }
}

function framed(chunk: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(4 + chunk.length);
  frame.writeUInt32BE(chunk.length);
  frame.set(chunk, 4);
  return frame;
}

/** It goes into logs, answers and lists. */
function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, 200);
}
