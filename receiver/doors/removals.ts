/** `POST /v1/removals`: a file vanished at the client. Nothing in the lake is deleted. */
import { decodePath, requirePath } from "@tributary/shared/path.ts";
import { ROUTE, removalRequest } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Gate } from "../identity/principal.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { readJson } from "./body.ts";
import type { DoorEnv } from "./door.ts";
import { clientFor, identify } from "./identify.ts";
import { termOf } from "./lease.ts";

export function removalsDoor(door: { readonly gate: Gate; readonly ingest: Ingest }): Hono<DoorEnv> {
  return new Hono<DoorEnv>().post(ROUTE.removals, async (c) => {
    const principal = await identify(door.gate, c);
    const client = clientFor(c, principal, "remove", undefined);
    const request = await readJson(c, removalRequest);
    clientFor(c, principal, "remove", request.source);
    requirePath(decodePath(request.pathEncoded));
    const channel = principal.kind === "agent" ? "push" : "api";
    const answer = await door.ingest.removal(principal, client, request, channel, termOf(c, principal));
    return c.json(answer, answer.status === "removed" ? 201 : 200);
  });
}
