/** `POST /v1/leases`: which sources an agent may poll now, among those that share the work. */
import { LEASE, leaseRequest, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { TakeLeases } from "../fleet/leases.ts";
import type { Gate } from "../identity/principal.ts";
import { readJson } from "./body.ts";
import type { DoorEnv } from "./door.ts";
import { identifyUncounted } from "./identify.ts";

/** Of one that is asked for and released: two slugs each time, and a term. */
const PLACE_BYTES = 400;

export function leasesDoor(gate: Gate, take: TakeLeases): Hono<DoorEnv> {
  return new Hono<DoorEnv>().post(ROUTE.leases, async (c) => {
    // Uncounted, as heartbeats are: an agent that cannot renew loses what it works on.
    const principal = await identifyUncounted(gate, c);
    const answer = await take(principal, await readJson(c, leaseRequest, LEASE.most * PLACE_BYTES));
    return c.json(answer, 200, { "cache-control": "no-store" });
  });
}
