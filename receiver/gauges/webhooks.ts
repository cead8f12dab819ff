/** Gauges of webhooks. Few sites have many of them, and each has somebody who waits for it: so each has a label. */
import { Gauge, type Registry } from "prom-client";
import type { WebhookView } from "../webhooks/standing.ts";
import type { Look } from "./look.ts";

export function webhookGauges(
  look: Look<readonly WebhookView[]>,
  registers: Registry[],
): () => Promise<void> {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `tributary_webhook_${name}`, help, labelNames: ["webhook"], registers });
  const waiting = gauge("waiting", "Events told to a webhook in vain that are told again");
  const dead = gauge("dead_letters", "Events told to a webhook in vain for the last time");
  const up = gauge("up", "1: told as arrivals come; 0: failing, gone, full, suspended or lost");
  const lag = gauge("lag_entries", "Entries that a webhook was not told of yet");
  return async () => {
    const views = (await look()) ?? [];
    for (const one of [lag, waiting, dead, up]) one.reset();
    for (const { id, state, ...view } of views) {
      if (state === "revoked") continue;
      lag.set({ webhook: id }, view.lag);
      waiting.set({ webhook: id }, view.waiting);
      dead.set({ webhook: id }, view.dead);
      up.set({ webhook: id }, state === "active" ? 1 : 0);
    }
  };
}
