/**
 * Tells one webhook what its cursor has not covered yet, and again what it was told in vain: in the order of the ledger,
 * several at once, but never two of one path. What came of it is recorded a little later, many at a time; whoever is
 * killed before that tells it once more, under the same id.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Entry } from "@tributary/shared/protocol.ts";
import type { History, Scope } from "../ledger/ledger.ts";
import { eventBody } from "./event.ts";
import type { ReportWebhook } from "./facts.ts";
import { afterAttempt, dueAfter, endsLongOutage, isDown, MOST_WAITING, mayBegin, room } from "./policy.ts";
import type { Counts, WebhookRows } from "./rows.ts";
import { signatureHeaders } from "./signature.ts";
import { Unrecorded } from "./unrecorded.ts";
import type { Health, Outcome, Send, WaitingEvent, Webhook } from "./webhook.ts";

export interface TellerParts {
  readonly history: Pick<History, "since" | "position" | "version">;
  readonly rows: Pick<WebhookRows, "due" | "counts" | "record">;
  /** Resolves when the manifest segments of these versions are in the lake. */
  readonly durable: (versionIds: readonly string[]) => Promise<void>;
  readonly send: Send;
  readonly report: ReportWebhook;
  readonly now: () => number;
  readonly random: () => number;
  readonly userAgent: string;
  /** Between looks at what is due, ms. */
  readonly lookMs: number;
}

/** One entry under way, or about to be. */
interface Telling {
  readonly entry: Entry;
  readonly seq: number;
  /** Tries before this one. */
  readonly tries: number;
  /** It was read from the ledger, so the cursor waits for it; otherwise it has a row. */
  readonly first: boolean;
}

const BATCH = 100;
/** Of others' entries passed over, before that is written down. */
const PASSED_OVER = 1000;
const RECORD_MS = 250;
const AWAY_MS = 2000;

export class Teller {
  readonly #parts: TellerParts;
  readonly #owner: string;
  readonly #webhook: Webhook;
  readonly #secret: string;
  readonly #underWay = new Map<string, Telling>();
  readonly #unrecorded = new Unrecorded();
  #health: Health;
  #epoch = "";
  /** Everything up to here was read. */
  #reach: number;
  #recorded: number;
  /** Read and not begun, in order. */
  #fresh: Telling[] = [];
  #due: WaitingEvent[] = [];
  #counts: Counts = { waiting: 0, dead: 0 };
  #lookedAt = Number.NEGATIVE_INFINITY;
  #news = true;
  #lastWasFirst = false;
  #gone = false;
  #away = false;
  #woken = Promise.withResolvers<void>();

  /** `secret` in plain. */
  constructor(parts: TellerParts, owner: string, webhook: Webhook, secret: string) {
    this.#parts = parts;
    this.#owner = owner;
    this.#webhook = webhook;
    this.#secret = secret;
    this.#health = webhook.health;
    this.#reach = webhook.cursor;
    this.#recorded = webhook.cursor;
  }

  /** The ledger has grown. */
  wake(): void {
    this.#news = true;
    this.#woken.resolve();
  }

  /**
   * Until it is told to stop, or the webhook is another's. With `stopping` nothing begins any more, what is under way
   * ends and is recorded; with `cut` that ends at once, and counts for nothing.
   */
  async run(stopping: AbortSignal, cut: AbortSignal): Promise<void> {
    const wake = (): void => this.#woken.resolve();
    stopping.addEventListener("abort", wake);
    try {
      while (!stopping.aborted && !this.#gone) {
        const ours = await this.#turn(stopping, cut);
        if (!ours) return;
        await this.#rest();
      }
      while (this.#underWay.size > 0) await this.#rest();
      await this.#record(true);
    } catch (error) {
      this.#parts.report({ kind: "WebhookHeldUp", webhook: this.#webhook.id, error });
    } finally {
      stopping.removeEventListener("abort", wake);
    }
  }

  /** False when the webhook is not ours any more. */
  async #turn(stopping: AbortSignal, cut: AbortSignal): Promise<boolean> {
    try {
      await this.#look();
      await this.#begin(stopping, cut);
      const ours = await this.#record(false);
      this.#away = false;
      return ours;
    } catch (error) {
      this.#news = true;
      if (!this.#away) this.#parts.report({ kind: "WebhookHeldUp", webhook: this.#webhook.id, error });
      this.#away = true;
      await sleep(AWAY_MS, undefined, { signal: stopping, ref: false }).catch(() => {});
      return true;
    }
  }

  async #rest(): Promise<void> {
    const timer = setTimeout(this.#woken.resolve, this.#unrecorded.any ? RECORD_MS : this.#parts.lookMs);
    await this.#woken.promise;
    clearTimeout(timer);
    this.#woken = Promise.withResolvers();
  }

  /** Reads what is due from time to time, and what is new when everything read before has begun. */
  async #look(): Promise<void> {
    const { history, rows, now, durable, lookMs } = this.#parts;
    if (performance.now() - this.#lookedAt >= lookMs) {
      this.#lookedAt = performance.now();
      this.#counts = await rows.counts(this.#webhook.id);
      const due = this.#counts.waiting === 0 ? [] : await rows.due(this.#webhook.id, now(), BATCH);
      // What is under way or not recorded yet still has its old row.
      this.#due = due.filter((e) => !this.#underWay.has(e.versionId) && !this.#unrecorded.knows(e.versionId));
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

  /** Begins as many as may be under way, taking turns between what is new and what is told again. */
  async #begin(stopping: AbortSignal, cut: AbortSignal): Promise<void> {
    while (!stopping.aborted && !this.#gone) {
      if (room(this.#health, this.#underWay.size, this.#parts.now()) === 0) return;
      const again = this.#lastWasFirst || !this.#firstMayBegin() ? await this.#nextAgain() : undefined;
      const next = again ?? (this.#firstMayBegin() ? this.#fresh.shift() : await this.#nextAgain());
      if (next === undefined) return;
      this.#lastWasFirst = next.first;
      this.#underWay.set(next.entry.versionId, next);
      void this.#tell(next, cut);
    }
  }

  #firstMayBegin(): boolean {
    const first = this.#fresh[0]?.entry;
    if (first === undefined || !mayBegin(this.#health, this.#counts)) return false;
    return ![...this.#underWay.values()].some(({ entry }) => samePath(entry, first));
  }

  async #nextAgain(): Promise<Telling | undefined> {
    for (let event = this.#due.shift(); event !== undefined; event = this.#due.shift()) {
      const { versionId, seq, tries } = event;
      if (this.#underWay.has(versionId) || this.#unrecorded.knows(versionId)) continue;
      const entry = await this.#parts.history.version(versionId);
      if (entry !== undefined) return { entry, seq, tries, first: false };
      // There is no such entry any more in this ledger.
      this.#unrecorded.delivered(versionId);
    }
    return undefined;
  }

  async #tell(telling: Telling, cut: AbortSignal): Promise<void> {
    const from = performance.now();
    const outcome = await this.#attempt(telling, cut).catch((error: unknown): Outcome => {
      // A fault of ours with one entry: it must not end the receiver, nor hold up the others.
      return { kind: "failed", why: `it cannot be told: ${String(error).slice(0, 200)}` };
    });
    this.#underWay.delete(telling.entry.versionId);
    this.#settle(telling, outcome, performance.now() - from);
    this.#woken.resolve();
  }

  async #attempt({ entry, seq }: Telling, cut: AbortSignal): Promise<Outcome> {
    const { send, now, userAgent } = this.#parts;
    const body = eventBody(entry, { epoch: this.#epoch, seq });
    const signed = signatureHeaders(this.#secret, entry.versionId, body, now());
    const headers = { "content-type": "application/json", "user-agent": userAgent, ...signed };
    return await send({ url: this.#webhook.url, headers, body }, cut);
  }

  #settle(telling: Telling, outcome: Outcome, ms: number): void {
    const { now, random, report } = this.#parts;
    const about = { webhook: this.#webhook.id, event: telling.entry.versionId, tries: telling.tries + 1 };
    const before = this.#health;
    this.#health = afterAttempt(before, outcome, now(), random());
    switch (outcome.kind) {
      case "delivered":
        this.#unrecorded.delivered(about.event, now());
        if (endsLongOutage(before, now())) this.#unrecorded.hasten();
        report({ kind: "WebhookDelivered", ...about, ms });
        if (before.failingSince !== null)
          report({ kind: "WebhookRecovered", webhook: about.webhook, ms: now() - before.failingSince });
        return;
      case "failed": {
        const { why, retryAfter } = outcome;
        const full = telling.first && this.#counts.waiting >= MOST_WAITING;
        const dueAt = full ? undefined : dueAfter(about.tries, now(), random(), retryAfter);
        const { tries, event: versionId } = about;
        this.#unrecorded.failed({ versionId, seq: telling.seq, tries, dueAt, why }, now());
        if (telling.first) this.#counts = { ...this.#counts, waiting: this.#counts.waiting + 1 };
        report({ kind: dueAt === undefined ? "WebhookDeadLetter" : "WebhookFailed", ...about, why });
        if (isDown(this.#health) && !isDown(before))
          report({ kind: "WebhookDown", webhook: about.webhook, why });
        return;
      }
      case "gone":
        if (!this.#gone) report({ kind: "WebhookGone", webhook: about.webhook, why: outcome.why });
        this.#gone = true;
        this.#unrecorded.gone(outcome.why, now());
        this.#putBack(telling);
        return;
      case "cut":
        this.#putBack(telling);
        return;
    }
  }

  /** As if it had not begun. */
  #putBack(telling: Telling): void {
    if (telling.first) this.#fresh = [...this.#fresh, telling].sort((a, b) => a.seq - b.seq);
  }

  /** The highest seq up to which everything is delivered or has a row. */
  #cursor(): number {
    const open = [...this.#fresh, ...this.#underWay.values()].filter(({ first }) => first);
    return open.reduce((least, { seq }) => Math.min(least, seq - 1), this.#reach);
  }

  /** False when the webhook is not ours any more. */
  async #record(all: boolean): Promise<boolean> {
    const cursor = this.#cursor();
    const idle = this.#underWay.size === 0;
    const due = all || idle || this.#unrecorded.since(performance.now()) >= RECORD_MS;
    const worth = this.#unrecorded.any
      ? due
      : cursor - this.#recorded >= PASSED_OVER || (all && cursor > this.#recorded);
    if (!worth) return true;
    const { now, rows } = this.#parts;
    const taken = this.#unrecorded.take();
    try {
      const progress = { ...taken, cursor, health: this.#health, at: now() };
      const ours = await rows.record(this.#webhook, this.#owner, progress);
      this.#recorded = cursor;
      return ours;
    } catch (error) {
      this.#unrecorded.putBack(taken);
      throw error;
    }
  }
}

function scopeOf({ client, source }: Webhook): Scope {
  return { clients: client === null ? "all" : [client], ...(source === null ? {} : { source }) };
}

function samePath(a: Entry, b: Entry): boolean {
  return a.pathEncoded === b.pathEncoded && a.source === b.source && a.client === b.client;
}
