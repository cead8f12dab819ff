/** `POST /v1/diagnostics?command=`: what an agent tells of itself when it was asked. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { DIAGNOSTICS, ROUTE, uuid } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { TakeDiagnostics } from "../fleet/diagnostics.ts";
import type { Gate } from "../identity/principal.ts";
import { readWhole } from "./body.ts";
import type { DoorEnv } from "./door.ts";
import { identify } from "./identify.ts";
import { queryBytes } from "./target.ts";

export function diagnosticsDoor(gate: Gate, take: TakeDiagnostics): Hono<DoorEnv> {
  return new Hono<DoorEnv>().post(ROUTE.diagnostics, async (c) => {
    const principal = await identify(gate, c);
    const command = uuid.safeParse(queryBytes(c.env.target.query, "command")?.toString());
    if (!command.success)
      throw new ProblemError("request-invalid", "?command= must be the id of the command that asked for it");
    const body = await readWhole(c, DIAGNOSTICS.most, "a diagnostics bundle");
    return c.json(await take(principal, command.data, body), 200, { "cache-control": "no-store" });
  });
}
