/**
 * Tells one webhook what is on its agenda, several at once. What came of it is recorded a little later, many at a time;
 * whoever is killed before that tells it once more, under the same id.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Entry } from "@tributary/shared/protocol.ts";
import { Agenda, type AgendaParts, type Telling } from "./agenda.ts";
import { eventBody } from "./event.ts";
import type { ReportWebhook } from "./facts.ts";
import { afterAttempt, dueAfter, endsLongOutage, isDown, MOST_WAITING, room } from "./policy.ts";
import type { WebhookRows } from "./rows.ts";
import { signatureHeaders } from "./signature.ts";
import { Unrecorded } from "./unrecorded.ts";
import type { Health, Outcome, Send, Webhook } from "./webhook.ts";

export interface TellerParts extends AgendaParts {
  readonly rows: AgendaParts["rows"] & Pick<WebhookRows, "record">;
  readonly send: Send;
  readonly report: ReportWebhook;
  readonly random: () => number;
  readonly userAgent: string;
}

/** Of others' entries passed over, before that is written down. */
const PASSED_OVER = 1000;
const RECORD_MS = 250;
const AWAY_MS = 2000;

export class Teller {
  readonly #parts: TellerParts;
  readonly #owner: string;
  readonly #webhook: Webhook;
  readonly #secret: string;
  readonly #unrecorded = new Unrecorded();
  readonly #agenda: Agenda;
  #health: Health;
  #recorded: number;
  #gone = false;
  #away = false;
  #woken = Promise.withResolvers<void>();

  /** `secret` in plain. */
  constructor(parts: TellerParts, owner: string, webhook: Webhook, secret: string) {
    this.#parts = parts;
    this.#owner = owner;
    this.#webhook = webhook;
    this.#secret = secret;
    this.#agenda = new Agenda(parts, webhook, this.#unrecorded);
    this.#health = webhook.health;
    this.#recorded = webhook.cursor;
  }

  /** Whether it is told of this entry. */
  hears({ client, source }: Pick<Entry, "client" | "source">): boolean {
    const { client: only, source: of } = this.#webhook;
    return (only === null || only === client) && (of === null || of === source);
  }

  /** The ledger has grown. */
  wake(): void {
    this.#agenda.wake();
    this.#woken.resolve();
  }

  /**
   * Until it is told to stop, or the webhook is another's. With `stopping` nothing begins any more, what is under way
   * ends and is recorded; with `cut` that ends at once, and counts for nothing.
   */
  async run(stopping: AbortSignal, cut: AbortSignal): Promise<void> {
    const wake = (): void => this.#woken.resolve();
    const lost = new AbortController();
    const cutOrLost = AbortSignal.any([cut, lost.signal]);
    stopping.addEventListener("abort", wake);
    try {
      while (!stopping.aborted && !this.#gone && !lost.signal.aborted) {
        const ours = await this.#turn(stopping, cutOrLost);
        // What is under way cannot be recorded any more, and whoever has it now tells it too.
        if (!ours) lost.abort();
        else await this.#rest();
      }
      while (this.#agenda.underWay > 0) await this.#rest();
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
      // What came before is recorded first, or a ledger that takes nothing would have all of it told again.
      if (this.#away && !(await this.#record(true))) return false;
      await this.#agenda.look();
      await this.#begin(stopping, cut);
      const ours = await this.#record(false);
      this.#away = false;
      return ours;
    } catch (error) {
      this.#agenda.wake();
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

  /** Begins as many as may be under way. */
  async #begin(stopping: AbortSignal, cut: AbortSignal): Promise<void> {
    while (!stopping.aborted && !this.#gone) {
      if (room(this.#health, this.#agenda.underWay, this.#parts.now()) === 0) return;
      const next = await this.#agenda.next(this.#health);
      if (next === undefined) return;
      void this.#tell(next, cut);
    }
  }

  async #tell(telling: Telling, cut: AbortSignal): Promise<void> {
    const from = performance.now();
    const outcome = await this.#attempt(telling, cut).catch((error: unknown): Outcome => {
      // A fault of ours with one entry: it must not end the receiver, nor hold up the others.
      return { kind: "failed", why: `it cannot be told: ${String(error).slice(0, 200)}` };
    });
    this.#agenda.ended(telling);
    this.#settle(telling, outcome, performance.now() - from);
    this.#woken.resolve();
  }

  async #attempt({ entry, seq }: Telling, cut: AbortSignal): Promise<Outcome> {
    const { send, now, userAgent } = this.#parts;
    const body = eventBody(entry, { epoch: this.#agenda.epoch, seq });
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
        const full = telling.first && this.#agenda.counts.waiting >= MOST_WAITING;
        const dueAt = full ? undefined : dueAfter(about.tries, now(), random(), retryAfter);
        const { tries, event: versionId } = about;
        this.#unrecorded.failed({ versionId, seq: telling.seq, tries, dueAt, why }, now());
        this.#agenda.failed(telling);
        report({ kind: dueAt === undefined ? "WebhookDeadLetter" : "WebhookFailed", ...about, why });
        if (isDown(this.#health) && !isDown(before))
          report({ kind: "WebhookDown", webhook: about.webhook, why });
        return;
      }
      case "gone":
        if (!this.#gone) report({ kind: "WebhookGone", webhook: about.webhook, why: outcome.why });
        this.#gone = true;
        this.#unrecorded.gone(outcome.why, now());
        this.#agenda.putBack(telling);
        return;
      case "cut":
        this.#agenda.putBack(telling);
        return;
    }
  }

  /** False when the webhook is not ours any more. */
  async #record(all: boolean): Promise<boolean> {
    const { cursor, underWay } = this.#agenda;
    const idle = underWay === 0;
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
