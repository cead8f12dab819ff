/** History: `GET /v1/clients`, `/v1/versions`, `/v1/versions/{id}`, `/v1/versions/{id}/content`. */
import { pipeline } from "node:stream/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { formatDigest } from "@tributary/shared/digest.ts";
import { encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  type Entry,
  type EntryPage,
  HEADER,
  instant,
  type ManifestLine,
  ROUTE,
} from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import { clientOf, type Gate, type Principal } from "../identity/principal.ts";
import type { Lake } from "../lake/lake.ts";
import { lostLease } from "../ledger/leases.ts";
import type { History, Holding, Scope } from "../ledger/ledger.ts";
import { formatCursor, parseCursor } from "../tail/cursor.ts";
import { wantedOf } from "./content.ts";
import { type DoorContext, type DoorEnv, header } from "./door.ts";
import { identify, whileAllowed } from "./identify.ts";
import { termOf } from "./lease.ts";
import { scopeOf, sees } from "./scope.ts";
import { queryBytes, queryText } from "./target.ts";

export interface VersionsDoor {
  readonly gate: Gate;
  readonly history: History;
  readonly lake: Pick<Lake, "read">;
  readonly suspended: (clients: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly holdsLease: (lease: Holding) => Promise<boolean>;
}

export function versionsDoor(door: VersionsDoor): Hono<DoorEnv> {
  return (
    new Hono<DoorEnv>()
      .get(ROUTE.clients, async (c) => {
        const principal = await identify(door.gate, c);
        const suspended = await door.suspended(principal.clients);
        return c.json({
          clients: principal.clients.map((name) => ({ name, suspended: suspended.has(name) })),
        });
      })
      .get(ROUTE.versions, async (c) => c.json(await page(door, c)))
      .get(`${ROUTE.versions}/:id`, async (c) => {
        const { receipt: _receipt, seq: _seq, ...entry } = await versionOf(door, c);
        return c.json(entry satisfies Entry);
      })
      // RFC 7515, 9.2.1: a JWS in its compact form.
      .get(`${ROUTE.versions}/:id/receipt`, async (c) =>
        c.body((await versionOf(door, c)).receipt, 200, { "content-type": "application/jose" }),
      )
      .get(`${ROUTE.versions}/:id/content`, async (c) => await content(door, c))
  );
}

async function page(door: VersionsDoor, c: DoorContext): Promise<EntryPage> {
  const { history } = door;
  const principal = await identify(door.gate, c);
  const { query } = c.env.target;
  const client = queryText(query, "client") ?? header(c, HEADER.client);
  const source = queryText(query, "source");
  const scope = (await leasedScope(door, c, principal, client, source)) ?? scopeOf(principal, client, source);
  const path = queryBytes(query, "path");
  const asOf = queryText(query, "asOf");
  if (asOf !== undefined && !instant.safeParse(asOf).success)
    throw new ProblemError("request-invalid", `asOf: expected an RFC 3339 time, not "${asOf.slice(0, 50)}"`);
  const cursor = queryText(query, "cursor");
  const now = await history.position();
  const found = await history.page({
    ...scope,
    ...(path === undefined ? {} : { pathEncoded: encodePath(path) }),
    ...(asOf === undefined ? {} : { asOf }),
    ...(cursor === undefined ? {} : { after: parseCursor(cursor, now) }),
    latest: flagOf(query, "latest"),
    removals: flagOf(query, "removals"),
    limit: limitOf(query),
  });
  return {
    entries: [...found.entries],
    cursor: found.next === undefined ? null : formatCursor({ epoch: now.epoch, seq: found.next }),
  };
}

/**
 * Who holds the lease of a source sees its whole history, whoever brought it: to go on where the holder before stopped.
 * Undefined: the request names no lease. Throws `lease-lost`, `request-invalid`.
 */
async function leasedScope(
  door: VersionsDoor,
  c: DoorContext,
  principal: Principal,
  named: string | undefined,
  source: string | undefined,
): Promise<Scope | undefined> {
  const term = termOf(c, principal);
  if (term === undefined) return undefined;
  const client = clientOf(principal, named);
  if (source === undefined)
    throw new ProblemError("request-invalid", "a lease is of one source: name it, as ?source=");
  if (!(await door.holdsLease({ client, source, agentId: principal.id, term })))
    throw new ProblemError("lease-lost", lostLease({ client, source }));
  return { clients: [client], source };
}

/** Throws `not-found` also for what exists and is another's: no answer tells the difference. */
async function versionOf(
  { gate, history }: VersionsDoor,
  c: DoorContext,
  known?: Principal,
): Promise<ManifestLine> {
  const principal = known ?? (await identify(gate, c));
  const scope = scopeOf(principal, undefined, undefined);
  const id = c.req.param("id") ?? "";
  const entry = /^[0-9a-f-]{36}$/.test(id) ? await history.version(id) : undefined;
  if (entry !== undefined && sees(scope, entry)) return entry;
  throw new ProblemError(
    "not-found",
    `there is no version "${id.slice(0, 50)}" that these credentials may read`,
  );
}

async function content(door: VersionsDoor, c: DoorContext): Promise<Response> {
  const principal = await identify(door.gate, c);
  const entry = await versionOf(door, c, principal);
  if (entry.key === null || entry.size === null || entry.sha256 === null)
    throw new ProblemError("not-found", `${entry.versionId} is a removal; it has no content`);
  const wanted = wantedOf(c, { size: entry.size, etag: `"${entry.sha256}"` });
  const headers: Record<string, string> = {
    "cache-control": "private, no-cache",
    "content-disposition": "attachment",
    "content-type": "application/octet-stream",
    "repr-digest": formatDigest(entry.sha256),
    "x-content-type-options": "nosniff",
    ...wanted.headers,
    [HEADER.requestId]: c.get("requestId"),
  };
  const { status, range } = wanted;
  if (status === 304) return new Response(null, { status, headers });
  const { outgoing } = c.env;
  if (c.env.incoming.method === "HEAD") {
    outgoing.writeHead(status, headers).end();
    return RESPONSE_ALREADY_SENT;
  }
  const bytes = await door.lake.read(entry.key, range);
  if (bytes === undefined)
    throw new ProblemError("lake-unavailable", `the lake does not have the object of ${entry.versionId}`);
  outgoing.writeHead(status, headers);
  // A failure midway, or revocation, can only be shown by cutting the connection: the status has left already.
  await whileAllowed(
    door.gate,
    principal,
    [entry.client],
    () => outgoing.destroy(),
    () => pipeline(bytes, outgoing).catch(() => void outgoing.destroy()),
  );
  return RESPONSE_ALREADY_SENT;
}

function flagOf(query: string, name: string): boolean {
  const value = queryText(query, name);
  if (value === undefined || value === "false") return false;
  if (value === "true") return true;
  throw new ProblemError("request-invalid", `${name}: expected true or false`);
}

const LIMIT = { usual: 100, most: 1000 } as const;

export function limitOf(query: string): number {
  const text = queryText(query, "limit") ?? String(LIMIT.usual);
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT.most) return limit;
  throw new ProblemError("request-invalid", `limit: expected 1 to ${LIMIT.most}`);
}
