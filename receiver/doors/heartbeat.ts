/** `POST /v1/heartbeat`: who it is comes from the token, what it says from the body. */
import { heartbeatRequest, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Heartbeat } from "../fleet/heartbeat.ts";
import type { Gate } from "../identity/principal.ts";
import { readJson } from "./body.ts";
import type { DoorEnv } from "./door.ts";
import { identifyUncounted } from "./identify.ts";

/** Of ten thousand sources, and what is in the pipes of those that have most. */
const MOST_BYTES = 4 * 2 ** 20;

export function heartbeatDoor(gate: Gate, heartbeat: Heartbeat): Hono<DoorEnv> {
  return new Hono<DoorEnv>().post(ROUTE.heartbeat, async (c) => {
    const principal = await identifyUncounted(gate, c);
    const answer = await heartbeat(principal, await readJson(c, heartbeatRequest, MOST_BYTES));
    return c.json(answer, 200, { "cache-control": "no-store" });
  });
}
