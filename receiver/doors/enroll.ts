/** `POST /v1/enroll`: the one door for those who have no identity yet; the code's secret is the credential. */
import { enrollRequest, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Enrol } from "../fleet/enrol.ts";
import { readJson } from "./body.ts";
import type { DoorEnv } from "./door.ts";

export function enrollDoor(enrol: Enrol): Hono<DoorEnv> {
  return new Hono<DoorEnv>().post(ROUTE.enroll, async (c) => {
    const request = await readJson(c, enrollRequest);
    const answer = await c.get("admission").look(c, request.secret, () => enrol(request));
    return c.json(answer, 200, { "cache-control": "no-store" });
  });
}
