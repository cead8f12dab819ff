/** A tar entry as a delivery: which path, which capture, what was declared of it. */
import { createHash, randomUUID } from "node:crypto";
import { modifiedAt } from "@tributary/shared/modified.ts";
import { encodePath, requirePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { captureKey, instant, PAX, sha256Hex } from "@tributary/shared/protocol.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Delivery } from "../../ingest/ingest.ts";
import type { TarEntry } from "./tar.ts";

/** What all entries of one bundle have in common. */
export interface BundleTarget {
  readonly principal: Principal;
  readonly client: string;
  readonly source: string;
  /** The request's Idempotency-Key: entries without a captureId of their own get one that follows from it and their path. */
  readonly key: string | undefined;
  /** The term of the principal's lease of the source. */
  readonly lease?: number;
}

export interface NamedEntry {
  readonly delivery: Delivery;
  /** As declared; undefined: not declared. */
  readonly sha256: string | undefined;
}

/** Throws `entry-refused`, `path-invalid`, `source-not-allowed`, `client-not-allowed`, `request-invalid`, `digest-required`. */
export function deliveryOf(entry: TarEntry, target: BundleTarget): NamedEntry {
  if (entry.kind !== "file")
    throw new ProblemError(
      "entry-refused",
      `${entry.what} is not taken, files are${entry.what === "a hard link" ? ": tar packs them as such with --hard-dereference" : ""}`,
    );
  requireSame(entry, PAX.client, target.client, "client-not-allowed");
  requireSame(entry, PAX.source, target.source, "source-not-allowed");
  const pathEncoded = encodePath(requirePath(pathOf(entry)));
  const { principal, client, source } = target;
  const agent = principal.kind === "agent";
  const sha256 = record(entry, PAX.sha256, sha256Hex);
  if (sha256 === undefined && agent)
    throw new ProblemError("digest-required", `an agent must send ${PAX.sha256} with every entry`);
  return {
    sha256,
    delivery: {
      ...{ principal, client, source, pathEncoded },
      captureId: record(entry, PAX.captureId, captureKey) ?? captureIdOf(target, pathEncoded),
      modifiedAt: modifiedAt(entry.mtimeNs),
      sealedAt: record(entry, PAX.sealedAt, instant) ?? null,
      channel: "bundle",
      ...(target.lease === undefined ? {} : { lease: target.lease }),
    },
  };
}

/** What `tar c .` writes before each name is no part of it. */
export function pathOf({ name }: Pick<TarEntry, "name">): Buffer {
  let at = 0;
  while (name[at] === 0x2e && name[at + 1] === 0x2f) {
    at += 2;
    while (name[at] === 0x2f) at += 1;
  }
  return name.subarray(at);
}

/** The same bundle sent again under its key is the same captures, in whatever order they come. */
function captureIdOf({ principal, key }: BundleTarget, pathEncoded: string): string {
  if (key !== undefined)
    return `${key}:${createHash("sha256").update(pathEncoded).digest("hex").slice(0, 32)}`;
  if (principal.kind !== "agent") return randomUUID();
  throw new ProblemError("request-invalid", `an agent must send ${PAX.captureId} with every entry`);
}

function record(
  entry: TarEntry,
  name: string,
  schema: typeof captureKey | typeof instant,
): string | undefined {
  const value = entry.records.get(name);
  if (value === undefined) return undefined;
  const parsed = schema.safeParse(value.toString("utf8"));
  if (parsed.success) return parsed.data;
  throw new ProblemError("request-invalid", `${name}: expected ${parsed.error.issues[0]?.message}`);
}

function requireSame(
  entry: TarEntry,
  name: string,
  own: string,
  code: "client-not-allowed" | "source-not-allowed",
): void {
  const named = entry.records.get(name)?.toString("utf8");
  if (named === undefined || named === own) return;
  throw new ProblemError(
    code,
    `the entry says ${name}=${named.slice(0, 100)}, and this bundle is for ${own}`,
  );
}
