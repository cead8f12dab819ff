/**
 * The webhooks of a running receiver. Each is told by one receiver at a time, whose lease stands in the ledger; what the
 * commands change is taken up at the next look, a second later at most.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Tail } from "../tail/tail.ts";
import type { WebhookRows } from "./rows.ts";
import { Teller, type TellerParts } from "./teller.ts";
import type { Webhook } from "./webhook.ts";

export interface WebhooksParts extends TellerParts {
  readonly rows: TellerParts["rows"] & Pick<WebhookRows, "active" | "lease" | "release">;
  readonly tail: Pick<Tail, "next">;
  /** A webhook's secret in plain; undefined when this receiver's keys folder cannot open it. */
  readonly openSecret: (webhook: Webhook) => string | undefined;
  /** Names this process among those that hold leases. */
  readonly owner: string;
}

interface Running {
  readonly teller: Teller;
  readonly generation: number;
  readonly stop: AbortController;
  /** Ends what is under way, too. */
  readonly cut: AbortController;
  readonly ended: Promise<void>;
}

const OVERSEE_MS = 1000;
const RENEW_MS = 5000;
/** A burst of commits is one piece of news: entries that are read at once, and how long more are waited for. */
const BURST = 200;
const BURST_MS = 20;
/** What is under way when the receiver stops may take this long. */
const FINISH_MS = 5000;

export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #stopping = new AbortController();
  /** Those whose teller has ended too, until the next look: rows that were read before know nothing of its last record. */
  readonly #running = new Map<string, Running>();
  readonly #ended = new Set<string>();
  readonly #closed = new Set<string>();
  #renewedAt = Number.NEGATIVE_INFINITY;
  #overseeing: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#overseeing ??= this.#overseeAll();
  }

  /** Begins nothing new; what is under way may end, then it is cut. The leases are given back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#overseeing;
    for (const { stop } of this.#running.values()) stop.abort();
    const running = [...this.#running.values()];
    const late = setTimeout(() => {
      for (const { cut } of running) cut.abort();
    }, FINISH_MS);
    await Promise.all(running.map(({ ended }) => ended));
    clearTimeout(late);
    await this.#following;
    await this.#parts.rows.release(this.#parts.owner).catch(() => {});
  }

  async #overseeAll(): Promise<void> {
    const { signal } = this.#stopping;
    let away = false;
    while (!signal.aborted) {
      try {
        await this.#oversee();
        away = false;
      } catch (error) {
        if (!away) this.#parts.report({ kind: "WebhookHeldUp", webhook: null, error });
        away = true;
      }
      await sleep(OVERSEE_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #oversee(): Promise<void> {
    for (const id of this.#ended) this.#running.delete(id);
    this.#ended.clear();
    const active = await this.#parts.rows.active();
    const secrets = new Map(active.map((webhook) => [webhook.id, this.#secretOf(webhook)]));
    const able = active.filter(({ id }) => secrets.get(id) !== undefined);
    const ours = await this.#leased(able);
    for (const [id, running] of this.#running) {
      const webhook = ours.find((one) => one.id === id);
      if (webhook?.generation === running.generation) continue;
      running.stop.abort();
      // What is under way cannot be recorded any more, and is told again: nobody shall wait for a slow answer to it.
      if (webhook !== undefined) running.cut.abort();
    }
    for (const webhook of ours)
      if (!this.#running.has(webhook.id)) this.#begin(webhook, secrets.get(webhook.id) as string);
    if (this.#running.size > 0) this.#following ??= this.#follow();
  }

  /** Renews from time to time, and at once when there is one to be had. */
  async #leased(able: Awaited<ReturnType<WebhookRows["active"]>>): Promise<readonly Webhook[]> {
    const { rows, owner } = this.#parts;
    const mine = able.filter(({ lease, free }) => lease === owner && !free);
    const renew = performance.now() - this.#renewedAt >= RENEW_MS;
    if (!renew && !able.some(({ free }) => free)) return mine;
    this.#renewedAt = performance.now();
    const ids = await rows.lease(
      owner,
      able.map(({ id }) => id),
    );
    // Whoever had a lease before may have gone on since they were read.
    return (await rows.active()).filter(({ id }) => ids.has(id));
  }

  #begin(webhook: Webhook, secret: string): void {
    const [stop, cut] = [new AbortController(), new AbortController()];
    const teller = new Teller(this.#parts, this.#parts.owner, webhook, secret);
    const ended = teller.run(stop.signal, cut.signal).finally(() => void this.#ended.add(webhook.id));
    this.#running.set(webhook.id, { teller, generation: webhook.generation, stop, cut, ended });
  }

  /** One look at the ledger for all of them, after which only those look that it concerns; none while there is no webhook. */
  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    const { history, tail } = this.#parts;
    try {
      let { seq } = await history.position();
      for (const { teller } of this.#running.values()) teller.wake();
      while (!signal.aborted && this.#running.size > 0) {
        const lines = await tail.next(seq, BURST, { clients: "all" }, signal);
        seq = lines.at(-1)?.seq ?? seq;
        for (const { teller } of this.#running.values())
          if (lines.some((line) => teller.hears(line))) teller.wake();
        await sleep(BURST_MS, undefined, { signal });
      }
    } catch {
      // The ledger is away, which the tellers notice themselves; or we stop.
    } finally {
      this.#following = undefined;
    }
  }

  #secretOf(webhook: Webhook): string | undefined {
    const secret = this.#parts.openSecret(webhook);
    if (secret === undefined && !this.#closed.has(webhook.id))
      this.#parts.report({ kind: "WebhookSecretClosed", webhook: webhook.id });
    if (secret === undefined) this.#closed.add(webhook.id);
    else this.#closed.delete(webhook.id);
    return secret;
  }
}
