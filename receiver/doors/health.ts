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

export function healthDoor(door: HealthDoor): Hono<DoorEnv> {
  return new Hono<DoorEnv>()
    .get("/healthz", (c) => c.json({ status: "alive" }))
    .get("/readyz", async (c) => {
      if (door.stopping.aborted)
        throw new ProblemError("stopping", "this receiver is stopping", { retryAfter: 5 });
      for (const check of door.checks) await check();
      return c.json({ status: "ready" });
    })
    .get("/metrics", async (c) => {
      if (!mayMeasure(door, c.env.incoming))
        throw new ProblemError("not-found", "there is nothing at /metrics");
      const { type, text } = await door.metrics();
      return c.body(text, 200, { "content-type": type });
    });
}

function mayMeasure(door: HealthDoor, incoming: IncomingMessage): boolean {
  const direct = peerOf(incoming, []);
  if (isForwarded(incoming) && !door.trustProxy.includes(direct)) return false;
  return door.metricsFrom.includes(peerOf(incoming, door.trustProxy));
}
