/**
 * What has happened, told to open pages as server-sent events (WHATWG HTML, 9.2): that something arrived, and of what
 * the pages show has changed. One look at the ledger serves all pages of this receiver, so ten of them cost what one
 * costs. A page fetches anew what it shows; nothing of the data itself is told here.
 *   event: ready     data: {}                  from here on all is told
 *   event: arrived   data: {"count":12}        entries since the last one, at most once a second
 *   event: changed   data: ["agents","audit"]  topics
 */
import type { ServerResponse } from "node:http";
import type { Streams } from "../doors/streams.ts";
import type { Asked } from "./console.ts";

/** Cheap marks of what may change besides arrivals: a topic has changed when its mark is another. */
export type Marks = Readonly<Record<string, string | number>>;

export interface LiveParts {
  /** Of the newest entry. */
  readonly seq: () => Promise<number>;
  readonly marks: () => Promise<Marks>;
  /** Still allowed to look: asked again from time to time. */
  readonly allowed: (asked: Asked) => Promise<boolean>;
  /** How many may be open. */
  readonly streams: Pick<Streams, "hold">;
  readonly stopping: AbortSignal;
}

const LOOK_MS = 1000;
const BEAT_MS = 15_000;
/** Whoever is shut out has to be out within 5 s, and the answer takes a moment. */
const ASK_AGAIN_MS = 3000;
/** A page that reads nothing is not waited for: it asks anew when it is back. */
const MOST_UNREAD = 64 * 1024;
/** Who does not read the end of his stream loses his connection. */
const CUT_AFTER_MS = 1000;

export class Live {
  readonly #parts: LiveParts;
  readonly #open = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #seq: number | undefined;
  #marks: Marks | undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    parts.stopping.addEventListener("abort", () => {
      for (const outgoing of this.#open) this.#end(outgoing);
    });
  }

  get listening(): number {
    return this.#open.size;
  }

  /** Until the page is closed, its session ends, or the receiver stops. Throws `busy`, `limit-requests`. */
  async follow(asked: Asked): Promise<void> {
    const id = asked.session?.person.id ?? "";
    await this.#parts.streams.hold({ kind: "person", id }, () => this.#follow(asked));
  }

  async #follow(asked: Asked): Promise<void> {
    const { outgoing } = asked;
    const closed = new Promise<void>((resolve) => {
      outgoing.once("close", resolve);
      if (outgoing.destroyed) resolve();
    });
    outgoing.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    outgoing.write("retry: 3000\n\n");
    this.#open.add(outgoing);
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
    // What comes after the page has heard that it is ready is told: so the first look is before.
    if (this.#seq === undefined) await this.#look();
    this.#write(outgoing, "event: ready\ndata: {}\n\n");
    const beat = setInterval(() => this.#write(outgoing, ": still here\n\n"), BEAT_MS);
    let asking = false;
    const ask = setInterval(() => {
      // A ledger that hangs is asked once, not again and again by every page.
      if (asking) return;
      asking = true;
      this.#parts
        .allowed(asked)
        .then(
          (allowed) => allowed || this.#end(outgoing, "event: ended\ndata: {}\n\n"),
          // The ledger is away: nobody's session has ended by that.
          () => {},
        )
        .finally(() => {
          asking = false;
        });
    }, ASK_AGAIN_MS);
    await closed;
    clearInterval(beat);
    clearInterval(ask);
    this.#open.delete(outgoing);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#seq = undefined;
    this.#marks = undefined;
  }

  /** One at a time: whoever comes while one is under way waits for it. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    try {
      const [seq, marks] = await Promise.all([this.#parts.seq(), this.#parts.marks()]);
      // All have gone meanwhile: who comes next begins anew.
      if (this.#open.size === 0) return;
      if (this.#seq !== undefined && seq > this.#seq) this.#tell("arrived", { count: seq - this.#seq });
      const before = this.#marks;
      const changed =
        before === undefined ? [] : Object.keys(marks).filter((topic) => marks[topic] !== before[topic]);
      if (changed.length > 0) this.#tell("changed", changed);
      this.#seq = seq;
      this.#marks = marks;
    } catch {
      // The ledger is away: the next look tries again, and what a page asks for itself says so.
    }
  }

  #tell(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const outgoing of this.#open) this.#write(outgoing, text);
  }

  #write(outgoing: ServerResponse, text: string): void {
    if (outgoing.writableEnded) return;
    if (outgoing.writableLength > MOST_UNREAD) outgoing.destroy();
    else outgoing.write(text);
  }

  #end(outgoing: ServerResponse, last = ""): void {
    if (outgoing.writableEnded) return;
    outgoing.end(last);
    setTimeout(() => outgoing.destroy(), CUT_AFTER_MS).unref();
  }
}
