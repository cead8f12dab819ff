/**
 * Receipts: the receiver's signed promise that a version is durable. Compact JWS (RFC 7515, 3.1) with EdDSA
 * (RFC 8037, 3.1). The text is what is stored, sent and verified; it is never made a second time.
 * Signing is synchronous on purpose: it happens inside the ledger's commit.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { z } from "zod";
import { ProblemError } from "./problems.ts";
import { captureKey, deliveryStatus, instant, type Jwks, sha256Hex, slug, uuid } from "./protocol.ts";

export const receiptClaims = z.object({
  iss: uuid.describe("the receiver site"),
  client: slug,
  source: slug,
  pathEncoded: z.string(),
  versionId: uuid,
  captureId: captureKey,
  size: z.int().nonnegative().nullable(),
  sha256: sha256Hex.nullable(),
  status: deliveryStatus,
  receivedAt: instant,
  channel: z.string(),
  agentId: z.string().nullable(),
});
export type ReceiptClaims = z.infer<typeof receiptClaims>;

const TYPE = "tributary-receipt+jws";
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export function signReceipt(claims: ReceiptClaims, privateKey: KeyObject, kid: string): string {
  const input = `${encode({ alg: "EdDSA", kid, typ: TYPE })}.${encode(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
}

/** The claims of a receipt that one of these keys signed; throws `receipt-invalid` with the reason. Works offline. */
export function verifyReceipt(receipt: string, keys: Jwks): ReceiptClaims {
  const parts = receipt.trim().split(".");
  if (parts.length !== 3)
    throw new ProblemError(
      "receipt-invalid",
      "this is not a receipt: a compact JWS has three parts separated by dots",
    );
  const [header, payload, signature] = parts as [string, string, string];
  const head = decodeJson(header) as { alg?: unknown; kid?: unknown; typ?: unknown };
  if (head?.alg !== "EdDSA" || head.typ !== TYPE) {
    throw new ProblemError(
      "receipt-invalid",
      `this is not a receipt: its header says alg ${String(head?.alg)}, typ ${String(head?.typ)}`,
    );
  }
  const key = keys.keys.find((k) => k.kid === head.kid);
  if (!key)
    throw new ProblemError(
      "receipt-invalid",
      `the receipt is signed with key ${String(head.kid)}, which is not one of this receiver's`,
    );
  if (
    !verify(null, Buffer.from(`${header}.${payload}`), publicKeyOf(key), Buffer.from(signature, "base64url"))
  ) {
    throw new ProblemError(
      "receipt-invalid",
      "the signature does not fit: the receipt was altered, or another receiver made it",
    );
  }
  const claims = receiptClaims.safeParse(decodeJson(payload));
  if (!claims.success)
    throw new ProblemError(
      "receipt-invalid",
      `the receipt's claims are not complete: ${z.prettifyError(claims.error)}`,
    );
  return claims.data;
}

type Jwk = Jwks["keys"][number];
const publicKeys = new WeakMap<Jwk, KeyObject>();

/** One key verifies many receipts; making it takes as long as verifying with it. */
function publicKeyOf(key: Jwk): KeyObject {
  const made =
    publicKeys.get(key) ?? createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: "jwk" });
  publicKeys.set(key, made);
  return made;
}

/** Key id: the JWK thumbprint of RFC 7638 for an Ed25519 public key. */
export function keyThumbprint(x: string): string {
  return createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
}

function decodeJson(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch (cause) {
    throw new ProblemError("receipt-invalid", "this is not a receipt: a part of it is not base64url JSON", {
      cause,
    });
  }
}
