/** `PUT /v1/files/{source}/{path}`: one file in one request; what `curl -T` does, of known or unknown length. */
import { randomUUID } from "node:crypto";
import { parseDigest } from "@tributary/shared/digest.ts";
import { encodePath, requirePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { captureKey, HEADER, instant, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Gate, Principal } from "../identity/principal.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { type Pace, readBody, requirePlain } from "./body.ts";
import { type DoorContext, type DoorEnv, header } from "./door.ts";
import { clientFor, identify, requireSource, whileAllowed } from "./identify.ts";
import { underLease } from "./lease.ts";
import { targetBytes } from "./target.ts";
import type { UploadPlaces } from "./upload-places.ts";

export interface ByteDoor {
  readonly gate: Gate;
  readonly places: UploadPlaces;
  readonly pace: Pace;
}

export function filesDoor(door: ByteDoor & { readonly ingest: Ingest }): Hono<DoorEnv> {
  const put = async (c: DoorContext): Promise<Response> => {
    const { gate, ingest, places, pace } = door;
    const principal = await identify(gate, c);
    const { source, pathEncoded } = fileTarget(c.env.target.path);
    const client = clientFor(c, principal, "write", source);
    requirePlainBody(c);
    const delivery = {
      principal,
      client,
      source,
      pathEncoded,
      captureId: captureIdOf(c, principal),
      modifiedAt: timeOf(c, HEADER.modifiedAt),
      sealedAt: timeOf(c, HEADER.sealedAt),
      channel: principal.kind === "agent" ? "push" : "api",
      ...underLease(c, principal),
    };
    const sha256 = digestOf(c, HEADER.reprDigest, principal.kind === "agent");
    return await places.hold(principal, client, async () => {
      const body = readBody(c.env.incoming, c.env.outgoing, pace);
      const answer = await whileAllowed(gate, principal, [client], body.fail, (stillAllowed) =>
        ingest.file(delivery, { bytes: body.bytes, size: body.size, sha256 }, stillAllowed),
      );
      return c.json(answer, answer.status === "created" ? 201 : 200);
    });
  };
  return new Hono<DoorEnv>().put(`${ROUTE.files}/*`, put).put(ROUTE.files, put);
}

/** Source and path out of the raw request path. Throws `source-invalid` or `path-invalid`. */
function fileTarget(path: string): { readonly source: string; readonly pathEncoded: string } {
  const rest = path.slice(ROUTE.files.length + 1);
  const slash = rest.indexOf("/");
  const source = slash === -1 ? rest : rest.slice(0, slash);
  return {
    source: requireSource(targetBytes(source).toString("utf8")),
    pathEncoded: encodePath(requirePath(targetBytes(slash === -1 ? "" : rest.slice(slash + 1)))),
  };
}

/** An agent names its capture; a program that does not gets one that is used once. */
function captureIdOf(c: DoorContext, principal: Principal): string {
  const key = idempotencyKey(c);
  if (key === undefined) {
    if (principal.kind !== "agent") return randomUUID();
    throw new ProblemError("request-invalid", "an agent must send its captureId as Idempotency-Key");
  }
  const parsed = captureKey.safeParse(key);
  if (parsed.success) return parsed.data;
  throw new ProblemError("request-invalid", `Idempotency-Key: ${parsed.error.issues[0]?.message}`);
}

/** With quotes (draft-ietf-httpapi-idempotency-key-header makes it a string of RFC 9651) or without: the same key. */
export function idempotencyKey(c: DoorContext): string | undefined {
  const key = header(c, HEADER.idempotencyKey);
  return key === undefined ? undefined : (/^"(.*)"$/.exec(key)?.[1] ?? key);
}

/**
 * The declared SHA-256 in hex. A body that is sent whole and unencoded has one digest under both names (RFC 9530, 2
 * and 3), so either counts, and none is passed over. `name`: the one that is asked for. Throws `digest-required`
 * where one must be and is not, `digest-invalid`.
 */
export function digestOf(c: DoorContext, name: string, required: true): string;
export function digestOf(c: DoorContext, name: string, required: boolean): string | undefined;
export function digestOf(c: DoorContext, name: string, required: boolean): string | undefined {
  const repr = parseDigest(header(c, HEADER.reprDigest));
  const content = parseDigest(header(c, HEADER.contentDigest));
  if (repr !== undefined && content !== undefined && repr !== content)
    throw new ProblemError(
      "digest-invalid",
      `Repr-Digest says ${repr} and Content-Digest ${content}; a body that is sent whole has one digest: send ${name} alone`,
    );
  const sha256 = repr ?? content;
  if (sha256 === undefined && required)
    throw new ProblemError("digest-required", `send ${name}: sha-256=:<base64 of the SHA-256>:`);
  return sha256;
}

/** A piece is not the whole. */
export function refusePieces(c: DoorContext): void {
  // RFC 9110, 14.4: taken for the whole, a piece would replace the file; 14.5: so it is refused with 400.
  if (header(c, "content-range") !== undefined)
    throw new ProblemError(
      "request-invalid",
      "Content-Range: a piece of a file is not taken; send the whole from its beginning (curl: without -C), or go on with an upload in parts",
    );
}

/** What we store is what was sent: the whole of it, and nothing is decoded on the way. */
export function requirePlainBody(c: DoorContext): void {
  refusePieces(c);
  requirePlain(header(c, "content-encoding"));
}

function timeOf(c: DoorContext, name: string): string | null {
  const value = header(c, name);
  if (value === undefined) return null;
  const parsed = instant.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ProblemError("request-invalid", `${name}: expected ${parsed.error.issues[0]?.message}`);
}
