/**
 * The latest log lines of this process, so that a request's id leads to them without a way to the host. Bounded in
 * bytes: the oldest go first. It holds what the log holds, word for word; older lines are where the system keeps the log.
 */
import { hostname } from "node:os";

export interface RememberedLine {
  /** For `before`: grows from line to line of this process. */
  readonly number: number;
  /** RFC 3339. */
  readonly at: string;
  readonly level: Level;
  readonly message: string;
  readonly requestId: string | null;
  /** What else the line says. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export type Level = "info" | "warn" | "error" | "fatal";

export interface LinesAsked {
  readonly requestId?: string | undefined;
  /** This one and those that are worse. */
  readonly level?: Level | undefined;
  /** Anywhere in the line, upper and lower case alike. */
  readonly text?: string | undefined;
  /** The `number` of the last line of the page before. */
  readonly before?: number | undefined;
  /** At most 1,000. */
  readonly limit: number;
}

export interface RecentLines {
  /** Host and process that were asked: each receiver of a site remembers its own lines. */
  readonly receiver: string;
  /** From when on all lines are remembered, RFC 3339. */
  readonly since: string;
  /** The newest first. */
  readonly lines: readonly RememberedLine[];
  /** For the next page's `before`; null: there is nothing older here. */
  readonly before: number | null;
  /** Finds older ones on the receiver's host. */
  readonly older: string;
}

interface Kept {
  readonly number: number;
  readonly value: number;
  readonly bytes: number;
  readonly text: string;
}

const MOST_BYTES = 4 * 2 ** 20;
/** A stack of causes may be long; a line shall not push out hundreds of others. */
const MOST_OF_A_LINE = 16 * 2 ** 10;
const MOST_LINES = 1000;
/** An object and its place in the array, besides the text. */
const OVERHEAD = 80;
/** Pino's numbers. */
const LEVELS: Readonly<Record<Level, number>> = { info: 30, warn: 40, error: 50, fatal: 60 };

export class LineMemory {
  readonly #most: number;
  readonly #begun: number;
  #kept: Kept[] = [];
  /** Before this place nothing counts any more. */
  #from = 0;
  #bytes = 0;
  #number = 0;

  constructor({ most = MOST_BYTES, now = Date.now }: { most?: number; now?: () => number } = {}) {
    this.#most = most;
    this.#begun = now();
  }

  /** One line of JSON, as pino writes it; `write` is what pino calls. */
  write(line: string): void {
    const text = line.length > MOST_OF_A_LINE ? shortened(line) : line.trimEnd();
    const value = Number(/^\{"level":(\d+)/.exec(text)?.[1] ?? LEVELS.info);
    const bytes = 2 * text.length + OVERHEAD;
    this.#number += 1;
    this.#kept.push({ number: this.#number, value, bytes, text });
    this.#bytes += bytes;
    while (this.#bytes > this.#most) {
      this.#bytes -= this.#kept[this.#from]?.bytes ?? this.#bytes;
      this.#from += 1;
    }
    // Not at each line: that would move all others.
    if (this.#from > 1000 && this.#from > this.#kept.length / 2) {
      this.#kept = this.#kept.slice(this.#from);
      this.#from = 0;
    }
  }

  recent({ requestId, level = "info", text, before, limit }: LinesAsked): RecentLines {
    const most = Math.min(limit, MOST_LINES);
    const wanted = text?.toLowerCase();
    const id = requestId === undefined ? undefined : JSON.stringify(requestId);
    const lines: RememberedLine[] = [];
    let next: number | null = null;
    for (let at = this.#kept.length - 1; at >= this.#from; at -= 1) {
      const kept = this.#kept[at] as Kept;
      if (before !== undefined && kept.number >= before) continue;
      if (kept.value < LEVELS[level]) continue;
      if (id !== undefined && !kept.text.includes(id)) continue;
      if (wanted !== undefined && !kept.text.toLowerCase().includes(wanted)) continue;
      const line = lineOf(kept);
      if (requestId !== undefined && line.requestId !== requestId) continue;
      if (lines.length === most) {
        next = lines.at(-1)?.number ?? null;
        break;
      }
      lines.push(line);
    }
    const first = this.#kept[this.#from];
    const complete = first === undefined || first.number === 1;
    return {
      receiver: `${hostname()}/${process.pid}`,
      since: complete ? new Date(this.#begun).toISOString() : lineOf(first).at,
      lines,
      before: next,
      older: olderLines(requestId),
    };
  }
}

/** What to type on the receiver's host; the id is one of ours, or it is left out. */
function olderLines(requestId: string | undefined): string {
  const unit = "journalctl -u tributary-receiver";
  return requestId !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(requestId)
    ? `${unit} | grep ${requestId}`
    : `${unit} --since -1d`;
}

function lineOf({ number, text }: Kept): RememberedLine {
  const { level, time, msg, requestId, ...fields } = JSON.parse(text) as Record<string, unknown>;
  const named = (Object.entries(LEVELS) as [Level, number][]).find(([, value]) => value === level);
  return {
    number,
    at: String(time),
    level: named?.[0] ?? "info",
    message: textOf(msg),
    requestId: typeof requestId === "string" ? requestId : null,
    fields,
  };
}

const textOf = (msg: unknown): string => (typeof msg === "string" ? msg : "");

/** Its begin, which a person can still read; what leads to it stays whole. */
function shortened(line: string): string {
  const { level, time, msg, requestId, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return JSON.stringify({
    ...{ level, time, requestId },
    cut: JSON.stringify(fields).slice(0, MOST_OF_A_LINE / 2),
    msg: textOf(msg).slice(0, MOST_OF_A_LINE / 4),
  });
}
