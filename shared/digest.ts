/** Digest fields of RFC 9530 (`Repr-Digest`, `Content-Digest`), reduced to the one algorithm that we take. */
import { ProblemError } from "./problems.ts";

/** `sha-256=:base64:` from 64 hex digits. */
export function formatDigest(sha256Hex: string): string {
  return `sha-256=:${Buffer.from(sha256Hex, "hex").toString("base64")}:`;
}

/**
 * The SHA-256 in hex out of a digest field; other algorithms in the list are ignored (RFC 9530, 2).
 * Undefined when there is no field; throws `digest-invalid` when there is one without a readable sha-256, or with
 * two that differ: the field was sent twice, and nobody knows which was meant.
 */
export function parseDigest(field: string | undefined): string | undefined {
  if (field === undefined) return undefined;
  const found = new Set<string>();
  for (const member of field.split(",")) {
    const match = /^\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:;.*)?$/.exec(member);
    if (match) found.add(Buffer.from(match[1] as string, "base64").toString("hex"));
  }
  const [sha256] = found;
  if (sha256 !== undefined && found.size === 1) return sha256;
  throw new ProblemError(
    "digest-invalid",
    `the digest field "${field.slice(0, 200)}" holds no readable sha-256, or two; expected sha-256=:<44 characters of base64>:`,
  );
}
