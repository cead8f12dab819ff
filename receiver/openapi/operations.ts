/** The whole wire. A route of the application that no operation stands for is a mistake, which its start says. */
import { AGENTS } from "./agents.ts";
import { EVERYBODY } from "./everybody.ts";
import { type Operation, routesOf } from "./operation.ts";
import { READING } from "./reading.ts";
import { PARTS, SENDING } from "./sending.ts";

export const OPERATIONS: readonly Operation[] = [...SENDING, ...PARTS, ...READING, ...AGENTS, ...EVERYBODY];

/** Those that an application with these routes (`GET /pattern`) has. Throws for a route that none stands for. */
export function operationsOf(routes: readonly string[]): readonly Operation[] {
  const known = new Set(OPERATIONS.flatMap(routesOf));
  const unknown = routes.filter((route) => !known.has(route));
  if (unknown.length > 0)
    throw new Error(`${unknown.join(", ")}: not described; add it to the operations in receiver/openapi`);
  return OPERATIONS.filter((operation) => routesOf(operation).some((route) => routes.includes(route)));
}
