/** A receipt checked by the browser itself (compact JWS, RFC 7515, with Ed25519, RFC 8037): it takes nobody's word but the key's. */
import type { Answers } from "../../../answers.ts";

/** What a receipt is compared with: the version as the page shows it. */
export interface Shown {
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
  readonly size: number | null;
  readonly sha256: string | null;
}

export type CheckedHere =
  /** This browser has no Ed25519. */
  | { readonly kind: "unable" }
  | { readonly kind: "no-key"; readonly kid: string }
  | { readonly kind: "bad" }
  /** `differs`: claims that are not as shown. */
  | { readonly kind: "good"; readonly kid: string; readonly differs: readonly string[] };

const CLAIMS = ["client", "source", "pathEncoded", "size", "sha256"] as const;

export async function checkHere(
  receipt: string,
  { keys }: Answers["site.jwks"],
  shown: Shown,
): Promise<CheckedHere> {
  const [header = "", payload = "", signature = ""] = receipt.trim().split(".");
  const head = json(header) as { readonly alg?: unknown; readonly kid?: unknown } | undefined;
  if (head?.alg !== "EdDSA") return { kind: "bad" };
  const kid = String(head.kid);
  const key = keys.find((one) => one.kid === kid);
  if (key === undefined) return { kind: "no-key", kid };
  const signed = await isSigned(`${header}.${payload}`, signature, key.x);
  if (signed === undefined) return { kind: "unable" };
  if (!signed) return { kind: "bad" };
  const claims = json(payload) as Readonly<Record<string, unknown>> | undefined;
  return { kind: "good", kid, differs: CLAIMS.filter((name) => claims?.[name] !== shown[name]) };
}

/** Undefined: this browser cannot. */
async function isSigned(input: string, signature: string, x: string): Promise<boolean | undefined> {
  let key: CryptoKey;
  try {
    const jwk = { kty: "OKP", crv: "Ed25519", x };
    key = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return undefined;
  }
  const bytes = bytesOf(signature);
  if (bytes === undefined) return false;
  return await crypto.subtle.verify({ name: "Ed25519" }, key, bytes, new TextEncoder().encode(input));
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function json(part: string): unknown {
  const bytes = bytesOf(part);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
