/**
 * One SFTP session: packets in, answers out. Requests are obeyed in the order in which they came, so that what a client
 * sends without waiting means what it says; only the end of a file, which waits for the lake and the ledger, lets those
 * pass that have nothing to do with it. What comes faster than it is obeyed is not read from the channel.
 */

import { once } from "node:events";
import type { Duplex } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import { REQUEST, STATUS } from "@tributary/shared/sftp/words.ts";
import { formatDuration } from "@tributary/shared/units.ts";
import { cameIn } from "./garbage.ts";
import type { Handle } from "./handles.ts";
import { Handles } from "./handles.ts";
import { done, type Packet, Packets } from "./packets.ts";
import { refusalOf } from "./refusal.ts";
import { type Obeyed, obey } from "./requests.ts";
import type { Visit } from "./visit.ts";
import type { Request } from "./wire.ts";
import { statusAnswer, versionAnswer } from "./wire-answers.ts";
import { readRequest } from "./wire-requests.ts";

export interface SessionParts {
  readonly visit: Visit;
  /** The channel; what is written to it waits where the client does not read. */
  readonly channel: Duplex;
  /** Says something to the people at the other end, where their program shows it. */
  readonly tell: (words: string) => void;
  /** See `SftpChannel`. */
  readonly hold: (held: boolean) => void;
  readonly gone: AbortSignal;
  /** What is open may be ended, nothing new is begun. */
  readonly stopping: AbortSignal;
  readonly mostHandles: number;
  /** Longest silence of the client in ms. */
  readonly idle: number;
  /** A request failed by a fault of ours, or one that an operator wants to know of. */
  readonly reportFailure: (request: string, error: unknown) => void;
  readonly reportRequest: (kind: Request["kind"], status: number, ms: number) => void;
}

/** Bytes of requests that wait; above it nothing more is read from the connection. */
const MOST_WAITING = 256 * 1024;
/** Answers that are gathered while more requests wait. */
const MOST_ANSWERS = 24 * 1024;
const MOST_GATHERED = 16;
/** A sender who writes nothing for so long does not keep a receiver from stopping. */
const PAUSE_MS = 3000;
/** Requests that wait. Clients have 64 on their way, or 1,024. */
const MOST_REQUESTS = 8192;

/** Ends when the channel does; throws MalformedPacket when what came is not SFTP. Nothing is left open. */
export async function runSession(parts: SessionParts): Promise<void> {
  const session = new Session(parts);
  try {
    await session.run();
  } finally {
    await session.end();
  }
}

interface Waiting {
  readonly request: Request;
  readonly packet: Packet;
}

/** A request costs more than its bytes. */
const costOf = ({ bytes }: Packet): number => bytes.length + 64;

class Session {
  readonly #parts: SessionParts;
  readonly #handles: Handles;
  readonly #packets = new Packets();
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Files that are being ended: what concerns paths waits for them. */
  readonly #ending = new Set<Promise<void>>();
  #answers: Buffer[] = [];
  #answerBytes = 0;
  #begun = false;
  #held = false;
  /** Answers that wait for room. */
  #flushing = 0;
  #told: string | undefined;
  #heardAt = performance.now();
  #wroteAt = Number.NEGATIVE_INFINITY;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#handles = new Handles(parts.mostHandles);
  }

  async run(): Promise<void> {
    const { channel } = this.#parts;
    let over = false;
    let wake = (): void => {};
    let fault: unknown;
    const nudge = (): void => wake();
    const hear = (chunk: Buffer): void => {
      this.#heardAt = performance.now();
      cameIn(chunk.length);
      try {
        for (const packet of this.#packets.cut(chunk)) this.#take(packet);
      } catch (error) {
        fault = error;
      }
      if (this.#waitingBytes > MOST_WAITING) this.#hold(true);
      nudge();
    };
    const leave = (): void => {
      over = true;
      nudge();
    };
    channel.on("data", hear).once("end", leave).once("close", leave).once("error", leave);
    this.#parts.gone.addEventListener("abort", leave, { once: true });
    const look = (): void => {
      fault ??= this.#reasonToEnd();
      if (fault !== undefined) nudge();
    };
    const looking = setInterval(look, Math.min(1000, this.#parts.idle / 2));
    try {
      while (fault === undefined) {
        const next = this.#waiting.shift();
        if (next === undefined) {
          if (over) break;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        await this.#obey(next.request);
        done(next.packet);
        this.#waitingBytes -= costOf(next.packet);
        if (this.#held && this.#waitingBytes < MOST_WAITING / 2) this.#hold(false);
      }
      await Promise.all(this.#ending);
      if (fault !== undefined) throw fault;
    } finally {
      clearInterval(looking);
      channel.off("data", hear);
      channel.pause();
    }
  }

  async end(): Promise<void> {
    this.#waiting.length = 0;
    await Promise.all(this.#ending);
    await Promise.all(this.#handles.takeAll().map((handle) => handle.abandon()));
  }

  /** Nobody uses it, or nobody may any more. */
  #reasonToEnd(): Error | undefined {
    if (this.#waiting.length > 0 || this.#ending.size > 0) return undefined;
    if (this.#parts.stopping.aborted && !this.#sends())
      return new SessionOver("stopping: this receiver is stopping; come again");
    if (performance.now() - this.#heardAt < this.#parts.idle) return undefined;
    return new SessionOver(`nothing came for ${formatDuration(this.#parts.idle)}; connect again`);
  }

  /** A file comes in that may be done before the receiver stops. */
  #sends(): boolean {
    return (
      performance.now() - this.#wroteAt < PAUSE_MS &&
      this.#handles.some(({ what }) => what === "file to write")
    );
  }

  /** More must not come, but what opens the client's window again must. */
  #hold(held: boolean): void {
    this.#held = held;
    if (held) this.#parts.channel.pause();
    else this.#parts.channel.resume();
    this.#holdConnection();
  }

  /** Whoever waits for the client's window to open waits for something that comes over the connection. */
  #holdConnection(): void {
    this.#parts.hold(this.#held && this.#flushing === 0);
  }

  #take(packet: Packet): void {
    if (!this.#begun) {
      if (packet.bytes[0] !== REQUEST.init || packet.bytes.length < 5)
        throw new MalformedPacket("it does not begin with INIT");
      this.#begun = true;
      this.#parts.channel.write(versionAnswer());
      return;
    }
    if (this.#waiting.length >= MOST_REQUESTS) throw new MalformedPacket("too many requests at once");
    this.#waiting.push({ request: readRequest(packet.bytes), packet });
    this.#waitingBytes += costOf(packet);
  }

  async #obey(request: Request): Promise<void> {
    if (concernsPaths(request)) await Promise.all(this.#ending);
    if (request.kind !== "close") {
      if (this.#parts.stopping.aborted && BEGINS.includes(request.kind)) {
        await this.#answer(request, () => Promise.reject(stopping()));
        return;
      }
      if (request.kind === "write") this.#wroteAt = performance.now();
      await this.#answer(request, () => obey(this.#parts.visit, this.#handles, request));
      return;
    }
    let handle: Handle;
    try {
      handle = this.#handles.take(request.handle);
    } catch (error) {
      await this.#answer(request, () => Promise.reject(error));
      return;
    }
    const ending = this.#answer(request, async () => ({
      status: STATUS.ok,
      words: await handle.close(),
    })).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    // A file that is read, or a folder, ends at once.
    if (handle.what !== "file to write") await ending;
  }

  async #answer(request: Request, work: () => Promise<Obeyed>): Promise<void> {
    const { id, kind } = request;
    if (kind === "open") this.#told = undefined;
    const from = performance.now();
    let status: number = STATUS.ok;
    let answer: readonly Buffer[];
    try {
      const obeyed = await work();
      answer = "answer" in obeyed ? obeyed.answer : [statusAnswer(id, obeyed.status, obeyed.words)];
    } catch (error) {
      const refusal = refusalOf(error);
      ({ status } = refusal);
      answer = [statusAnswer(id, refusal.status, refusal.message)];
      const absent = status === STATUS.noSuchFile;
      if (!refusal.expected && !absent) this.#parts.reportFailure(kind, error);
      if (!refusal.expected && (absent ? kind === "open" : TOLD.includes(kind))) this.#tell(refusal.message);
    }
    this.#parts.reportRequest(kind, status, performance.now() - from);
    await this.#send(answer);
  }

  /** Once for a file, not for each of its writes that was on its way. */
  #tell(words: string): void {
    if (this.#told === words) return;
    this.#told = words;
    this.#parts.tell(words);
  }

  /** Answers to requests that came together leave together: each packet costs its encryption and a system call. */
  async #send(answer: readonly Buffer[]): Promise<void> {
    for (const bytes of answer) {
      this.#answers.push(bytes);
      this.#answerBytes += bytes.length;
    }
    if (this.#waiting.length > 0 && this.#answerBytes < MOST_ANSWERS && this.#answers.length < MOST_GATHERED)
      return;
    await this.#flush();
  }

  /** Waits while the client does not read them. */
  async #flush(): Promise<void> {
    const { channel } = this.#parts;
    const answers = this.#answers.splice(0);
    const bytes = this.#answerBytes;
    this.#answerBytes = 0;
    if (answers.length === 0 || !channel.writable || this.#parts.gone.aborted) return;
    if (channel.write(answers.length === 1 ? answers[0] : Buffer.concat(answers, bytes))) return;
    const { gone } = this.#parts;
    this.#flushing += 1;
    this.#holdConnection();
    // The end of the connection ends the wait, too: the library forgets it then.
    await once(channel, "drain", { signal: gone }).catch(() => {});
    this.#flushing -= 1;
    this.#holdConnection();
  }
}

/**
 * What people should read although their program shows them a status alone. That a name is not there it says itself,
 * but not what is missing where a file is put.
 */
const TOLD: readonly Request["kind"][] = [
  ...(["open", "write", "close", "fsetstat", "setstat"] as const),
  ...(["rename", "remove", "mkdir", "rmdir"] as const),
];

function concernsPaths({ kind }: Request): boolean {
  return !["read", "write", "fstat", "fsetstat", "readdir", "fsync", "close", "limits", "unknown"].includes(
    kind,
  );
}

/** What would keep a receiver from stopping. */
const BEGINS: readonly Request["kind"][] = ["open", "opendir", "mkdir", "remove", "rename", "setstat"];

const stopping = () =>
  new ProblemError("stopping", "this receiver is stopping; come again", { retryAfter: 5 });

/** It ends from our side, for this reason. */
export class SessionOver extends Error {}
