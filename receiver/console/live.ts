/**
 * What has happened, told to open pages as server-sent events (WHATWG HTML, 9.2): that something arrived, and of what
 * the pages show has changed. One look at the ledger serves all pages of this receiver, so ten of them cost what one
 * costs. A page fetches anew what it shows; nothing of the data itself is told here.
 *   event: arrived   data: {"count":12}        entries since the last one, at most once a second
 *   event: changed   data: ["agents","audit"]  topics
 */
import type { ServerResponse } from "node:http";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { Asked } from "./console.ts";

/** Cheap marks of what may change besides arrivals: a topic has changed when its mark is another. */
export type Marks = Readonly<Record<string, string | number>>;

export interface LiveParts {
  /** Of the newest entry. */
  readonly seq: () => Promise<number>;
  readonly marks: () => Promise<Marks>;
  /** Still allowed to look: asked again from time to time. */
  readonly allowed: (asked: Asked) => Promise<boolean>;
  readonly stopping: AbortSignal;
}

const LOOK_MS = 1000;
const BEAT_MS = 15_000;
const ASK_AGAIN_MS = 5000;

export class Live {
  readonly #parts: LiveParts;
  readonly #open = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #seq: number | undefined;
  #marks: Marks | undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    parts.stopping.addEventListener("abort", () => {
      for (const outgoing of this.#open) outgoing.end();
    });
  }

  get listening(): number {
    return this.#open.size;
  }

  /** Until the page is closed, its session ends, or the receiver stops. */
  async follow(asked: Asked): Promise<void> {
    const { outgoing, requestId } = asked;
    outgoing.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      [HEADER.requestId]: requestId,
    });
    outgoing.write("retry: 3000\n\nevent: open\ndata: {}\n\n");
    this.#open.add(outgoing);
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
    if (this.#seq === undefined) void this.#look();
    const beat = setInterval(() => outgoing.write(": still here\n\n"), BEAT_MS);
    const ask = setInterval(() => {
      this.#parts.allowed(asked).then(
        (allowed) => allowed || outgoing.end("event: ended\ndata: {}\n\n"),
        // The ledger is away: nobody's session has ended by that.
        () => {},
      );
    }, ASK_AGAIN_MS);
    await new Promise<void>((resolve) => {
      outgoing.once("close", resolve);
      if (outgoing.destroyed) resolve();
    });
    clearInterval(beat);
    clearInterval(ask);
    this.#open.delete(outgoing);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#seq = undefined;
    this.#marks = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const [seq, marks] = await Promise.all([this.#parts.seq(), this.#parts.marks()]);
      if (this.#seq !== undefined && seq > this.#seq) this.#tell("arrived", { count: seq - this.#seq });
      const before = this.#marks;
      const changed =
        before === undefined ? [] : Object.keys(marks).filter((topic) => marks[topic] !== before[topic]);
      if (changed.length > 0) this.#tell("changed", changed);
      this.#seq = seq;
      this.#marks = marks;
    } catch {
      // The ledger is away: the next look tries again, and what a page asks for itself says so.
    } finally {
      this.#looking = false;
    }
  }

  #tell(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const outgoing of this.#open) {
      // A page that reads nothing is not waited for: it asks anew when it is back.
      if (outgoing.writableLength > 1_000_000) outgoing.destroy();
      else outgoing.write(text);
    }
  }
}
