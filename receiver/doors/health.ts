/** `/healthz` (the process lives), `/readyz` (lake and ledger answer), `/metrics` (Prometheus; only for named peers). */
import type { IncomingMessage } from "node:http";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Hono } from "hono";
import type { DoorEnv } from "./door.ts";
import { isForwarded, peerOf } from "./peer.ts";

export interface HealthDoor {
  /** Each throws with its reason. */
  readonly checks: readonly (() => Promise<void>)[];
  readonly stopping: AbortSignal;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  readonly metricsFrom: readonly string[];
  readonly trustProxy: readonly string[];
}

/** Whoever asks costs the ledger a query and the store a request: strangers may, so one look serves all for a second. */
const LOOK_EVERY_MS = 1000;

export function healthDoor(door: HealthDoor): Hono<DoorEnv> {
  const ready = shared(LOOK_EVERY_MS, async () => {
    for (const check of door.checks) await check();
  });
  return new Hono<DoorEnv>()
    .get("/healthz", (c) => c.json({ status: "alive" }))
    .get("/readyz", async (c) => {
      if (door.stopping.aborted)
        throw new ProblemError("stopping", "this receiver is stopping", { retryAfter: 5 });
      await ready();
      return c.json({ status: "ready" });
    })
    .get("/metrics", async (c) => {
      if (!mayMeasure(door, c.env.incoming))
        throw new ProblemError("not-found", "there is nothing at /metrics");
      const { type, text } = await door.metrics();
      return c.body(text, 200, { "content-type": type });
    });
}

/** One run for all who ask while it lasts, and for `forMs` from its beginning; what failed has failed for all of them. */
function shared(forMs: number, work: () => Promise<void>): () => Promise<void> {
  let last: { readonly from: number; readonly run: Promise<void>; ended: boolean } | undefined;
  return async () => {
    if (last === undefined || (last.ended && performance.now() - last.from >= forMs)) {
      const look = { from: performance.now(), run: work(), ended: false };
      const end = (): void => {
        look.ended = true;
      };
      look.run.then(end, end);
      last = look;
    }
    await last.run;
  };
}

function mayMeasure(door: HealthDoor, incoming: IncomingMessage): boolean {
  const direct = peerOf(incoming, []);
  if (isForwarded(incoming) && !door.trustProxy.includes(direct)) return false;
  return door.metricsFrom.includes(peerOf(incoming, door.trustProxy));
}
