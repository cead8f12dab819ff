/**
 * What one webhook is told next: entries that are new to it, in the order of the ledger, and what is due again, by
 * turns. Never two of one path are under way, so that the order of a path holds while all is well.
 */
import type { Entry } from "@tributary/shared/protocol.ts";
import type { History, Scope } from "../ledger/ledger.ts";
import { mayBegin } from "./policy.ts";
import type { Counts, WebhookRows } from "./rows.ts";
import type { Unrecorded } from "./unrecorded.ts";
import type { Health, WaitingEvent, Webhook } from "./webhook.ts";

export interface AgendaParts {
  readonly history: Pick<History, "since" | "position" | "version">;
  readonly rows: Pick<WebhookRows, "due" | "counts">;
  /** Resolves when the manifest segments of these versions are in the lake. */
  readonly durable: (versionIds: readonly string[]) => Promise<void>;
  readonly now: () => number;
  /** Between looks at what is due, ms. */
  readonly lookMs: number;
}

/** One entry under way, or about to be. */
export interface Telling {
  readonly entry: Entry;
  readonly seq: number;
  /** Tries before this one. */
  readonly tries: number;
  /** It was read from the ledger, so the cursor waits for it; otherwise it has a row. */
  readonly first: boolean;
}

const BATCH = 100;

export class Agenda {
  readonly #parts: AgendaParts;
  readonly #webhook: Webhook;
  readonly #unrecorded: Unrecorded;
  readonly #underWay = new Map<string, Telling>();
  #epoch = "";
  /** Everything up to here was read. */
  #reach: number;
  /** Read and not begun, in order. */
  #fresh: Telling[] = [];
  #due: WaitingEvent[] = [];
  /** The first of those that are due, once its entry was read. */
  #again: Telling | undefined;
  #counts: Counts = { waiting: 0, dead: 0 };
  #lookedAt = Number.NEGATIVE_INFINITY;
  #news = true;
  #lastWasFirst = false;

  constructor(parts: AgendaParts, webhook: Webhook, unrecorded: Unrecorded) {
    this.#parts = parts;
    this.#webhook = webhook;
    this.#unrecorded = unrecorded;
    this.#reach = webhook.cursor;
  }

  /** The ledger's, when it was read. */
  get epoch(): string {
    return this.#epoch;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Of the webhook's rows, those included that are not recorded yet. */
  get counts(): Counts {
    return this.#counts;
  }

  /** The highest seq up to which everything is delivered or has a row. */
  get cursor(): number {
    const open = [...this.#fresh, ...this.#underWay.values()].filter(({ first }) => first);
    return open.reduce((least, { seq }) => Math.min(least, seq - 1), this.#reach);
  }

  /** The ledger has grown. */
  wake(): void {
    this.#news = true;
  }

  /** Reads what is due from time to time, and what is new when everything read before has begun. */
  async look(): Promise<void> {
    const { history, durable, lookMs } = this.#parts;
    if (performance.now() - this.#lookedAt >= lookMs) {
      this.#lookedAt = performance.now();
      await this.#lookAtRows();
      this.#news = true;
    }
    if (!this.#news || this.#fresh.length > 0) return;
    this.#news = false;
    const position = await history.position();
    const lines = await history.since(this.#reach, BATCH, scopeOf(this.#webhook));
    await durable(lines.map(({ versionId }) => versionId));
    this.#epoch = position.epoch;
    this.#fresh = lines.map((line) => ({ entry: line, seq: line.seq, tries: 0, first: true }));
    // The position was read before: what it covers was committed, so others' entries up to there are passed over.
    const last = lines.at(-1)?.seq ?? this.#reach;
    this.#reach = lines.length < BATCH ? Math.max(last, position.seq) : last;
    if (lines.length === BATCH) this.#news = true;
  }

  async #lookAtRows(): Promise<void> {
    const { rows, now } = this.#parts;
    this.#counts = await rows.counts(this.#webhook.id);
    const due = this.#counts.waiting === 0 ? [] : await rows.due(this.#webhook.id, now(), BATCH);
    this.#due = due.filter(({ versionId }) => this.#isOpen(versionId));
  }

  /** The next that may begin, which is under way from then on. */
  async next(health: Health): Promise<Telling | undefined> {
    const again = this.#lastWasFirst || !this.#firstMayBegin(health) ? await this.#nextAgain() : undefined;
    const next = again ?? (this.#firstMayBegin(health) ? this.#fresh.shift() : await this.#nextAgain());
    if (next === undefined) return undefined;
    this.#lastWasFirst = next.first;
    this.#underWay.set(next.entry.versionId, next);
    return next;
  }

  /** What came of it is recorded next, or it is put back. */
  ended({ entry }: Telling): void {
    this.#underWay.delete(entry.versionId);
  }

  /** As if it had not begun. */
  putBack(telling: Telling): void {
    if (telling.first) this.#fresh = [...this.#fresh, telling].sort((a, b) => a.seq - b.seq);
  }

  /** One more waits. */
  failed(telling: Telling): void {
    if (telling.first) this.#counts = { ...this.#counts, waiting: this.#counts.waiting + 1 };
  }

  #firstMayBegin(health: Health): boolean {
    const first = this.#fresh[0];
    return first !== undefined && mayBegin(health, this.#counts) && !this.#isPathBusy(first);
  }

  /** In their order too: the first of them waits for its path. */
  async #nextAgain(): Promise<Telling | undefined> {
    this.#again ??= await this.#readAgain();
    const again = this.#again;
    if (again === undefined || this.#isPathBusy(again)) return undefined;
    this.#again = undefined;
    return again;
  }

  async #readAgain(): Promise<Telling | undefined> {
    for (let event = this.#due.shift(); event !== undefined; event = this.#due.shift()) {
      const { versionId, seq, tries } = event;
      if (!this.#isOpen(versionId)) continue;
      const entry = await this.#parts.history.version(versionId);
      if (entry !== undefined) return { entry, seq, tries, first: false };
      // There is no such entry any more in this ledger.
      this.#unrecorded.delivered(versionId);
    }
    return undefined;
  }

  /** What is under way, about to be, or not recorded yet still has its old row. */
  #isOpen(versionId: string): boolean {
    return (
      !this.#underWay.has(versionId) &&
      !this.#unrecorded.knows(versionId) &&
      this.#again?.entry.versionId !== versionId
    );
  }

  #isPathBusy({ entry }: Telling): boolean {
    return [...this.#underWay.values()].some((other) => samePath(other.entry, entry));
  }
}

function scopeOf({ client, source }: Webhook): Scope {
  return { clients: client === null ? "all" : [client], ...(source === null ? {} : { source }) };
}

function samePath(a: Entry, b: Entry): boolean {
  return a.pathEncoded === b.pathEncoded && a.source === b.source && a.client === b.client;
}
