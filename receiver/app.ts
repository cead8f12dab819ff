/** The ingest listener's routes, put together from the doors. No technology is chosen here: everything is handed in. */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER, type Jwks, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import { type BundlesDoor, bundlesDoor } from "./doors/bundles.ts";
import type { Admission, DoorEnv } from "./doors/door.ts";
import { type EventsDoor, eventsDoor } from "./doors/events.ts";
import { filesDoor } from "./doors/files.ts";
import { type HealthDoor, healthDoor } from "./doors/health.ts";
import { openapiDoor } from "./doors/openapi.ts";
import { answerProblem } from "./doors/problem.ts";
import { removalsDoor } from "./doors/removals.ts";
import { inRequest } from "./doors/request.ts";
import { STRICT_TRANSPORT, strictTransport } from "./doors/strict-transport.ts";
import { uploadsDoor } from "./doors/uploads.ts";
import { type VersionsDoor, versionsDoor } from "./doors/versions.ts";
import type { Uploads } from "./ingest/ingest.ts";
import { operationsOf } from "./openapi/operations.ts";

export interface AppParts extends BundlesDoor, VersionsDoor, EventsDoor, HealthDoor {
  readonly uploads: Uploads;
  readonly admission: Admission;
  readonly jwks: () => Jwks;
  /** What the document names as its server; without it, the address that was asked. */
  readonly publicUrl: string | undefined;
  /** Enroll, heartbeat and the packages, of which ingest knows nothing. */
  readonly more: readonly Hono<DoorEnv>[];
  readonly reportRequest: (method: string, status: number, ms: number) => void;
}

/**
 * Routes by the raw path, so that no spelling of `..` is resolved before a door has refused it. Throws for a route that
 * is not described in `openapi/`: a door that programs cannot find out about shall not open.
 */
export function createApp(parts: AppParts): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>({ getPath: (_request, options) => options?.env?.target.path ?? "/" });
  app.use(async (c, next) => {
    const from = performance.now();
    c.set("requestId", requestIdOf(c.env.incoming.headers[HEADER.requestId]));
    c.set("admission", parts.admission);
    c.header(HEADER.requestId, c.get("requestId"));
    c.header(STRICT_TRANSPORT, strictTransport(c.env.incoming.headers.host));
    await inRequest(c.get("requestId"), next);
    parts.reportRequest(c.req.method, c.res.status, performance.now() - from);
  });
  app.use("/v1/*", async (_c, next) => {
    if (parts.stopping.aborted)
      throw new ProblemError("stopping", "this receiver is stopping; come again", { retryAfter: 5 });
    await next();
  });
  const doors = [
    filesDoor(parts),
    bundlesDoor(parts),
    uploadsDoor(parts),
    removalsDoor(parts),
    versionsDoor(parts),
    eventsDoor(parts),
    healthDoor(parts),
    new Hono<DoorEnv>().get(ROUTE.jwks, (c) => {
      c.header("cache-control", "public, max-age=300");
      return c.json(parts.jwks());
    }),
    openapiDoor({ publicUrl: parts.publicUrl, operations: () => described }),
    ...parts.more,
  ];
  for (const door of doors) app.route("/", door);
  const refuse = answerProblem(parts.reportProblem);
  app.onError(refuse);
  const routes = app.routes.filter((route) => route.method !== "ALL");
  const described = operationsOf(routes.map((route) => `${route.method} ${route.path}`));
  app.notFound((c) => {
    const { path } = c.env.target;
    const methods = new Set(routes.filter((r) => fits(r.path, path)).map((r) => r.method));
    if (methods.has("GET")) methods.add("HEAD");
    const allowed = [...methods].join(", ");
    if (allowed === "")
      return refuse(new ProblemError("not-found", `there is nothing at ${path.slice(0, 200)}`), c);
    const wrong = `${path.slice(0, 200)} takes ${allowed}, not ${c.env.incoming.method}`;
    const answer = refuse(new ProblemError("method-not-allowed", wrong), c);
    answer.headers.set("allow", allowed);
    return answer;
  });
  return app;
}

/** Whether a route's pattern fits a path whatever the method. */
function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    (wanted.at(-1) === "*" ? given.length >= wanted.length : given.length === wanted.length) &&
    wanted.every(
      (segment, i) => segment === "*" || (segment.startsWith(":") ? given[i] !== "" : segment === given[i]),
    )
  );
}

function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}
