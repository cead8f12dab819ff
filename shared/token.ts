/**
 * The token on every request of an agent: a JWT (RFC 7519) signed with the key that was made on the host, bound
 * to one method and path as DPoP does (RFC 9449, 4.2: `htm`, `htu`), good for at most two minutes. `aud` is the
 * site's UUID, never a URL, so that a receiver may move.
 */
import { type KeyObject, randomUUID, sign } from "node:crypto";
import type { JWTPayload } from "jose";
import { ProblemError } from "./problems.ts";

export const TOKEN_SECONDS = 120;
/** Clocks are corrected by the receiver's `Date`, whose resolution is a second; network time comes on top. */
const TOLERANCE_SECONDS = 10;

interface TokenInput {
  readonly agentId: string;
  readonly site: string;
  readonly method: string;
  /** Path as it stands in the request line, without the query. */
  readonly path: string;
  /** Receiver's time, ms since 1970. */
  readonly now: number;
}

/** Compact JWS (RFC 7515, 3.1) with EdDSA (RFC 8037, 3.1): three lines, for which an agent need not load a library that it keeps for ever. */
export function signToken(input: TokenInput, privateKey: KeyObject): string {
  const iat = Math.floor(input.now / 1000);
  const { agentId: iss, site: aud, method: htm, path: htu } = input;
  const claims = { htm, htu, iss, aud, iat, exp: iat + TOKEN_SECONDS, jti: randomUUID() };
  const text = `${encode({ alg: "EdDSA", typ: TYPE })}.${encode(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
}

const TYPE = "tributary-agent+jwt";
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Who a token claims to come from; nothing is verified yet. Undefined when it is no JWT. */
export function tokenIssuer(token: string): string | undefined {
  try {
    const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      iss?: unknown;
    };
    return typeof payload.iss === "string" ? payload.iss : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `unauthenticated` or `token-expired`. */
export async function verifyToken(token: string, expected: TokenInput, publicKey: KeyObject): Promise<void> {
  // Only the receiver verifies.
  const { errors, jwtVerify } = await import("jose");
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, publicKey, {
      algorithms: ["EdDSA"],
      typ: TYPE,
      issuer: expected.agentId,
      audience: expected.site,
      currentDate: new Date(expected.now),
      clockTolerance: TOLERANCE_SECONDS,
      requiredClaims: ["iss", "aud", "iat", "exp", "jti", "htm", "htu"],
    }));
  } catch (cause) {
    if (cause instanceof errors.JWTExpired)
      throw new ProblemError(
        "token-expired",
        "the token is expired; sign a new one with the time in the Date header",
        { cause },
      );
    throw new ProblemError(
      "unauthenticated",
      `the token does not verify: ${cause instanceof Error ? cause.message : "unreadable"}`,
      { cause },
    );
  }
  const { iat = 0, exp = 0 } = payload;
  if (iat * 1000 > expected.now + TOLERANCE_SECONDS * 1000) {
    throw new ProblemError(
      "token-expired",
      "the token is from the future; sign a new one with the time in the Date header",
    );
  }
  if (exp - iat > TOKEN_SECONDS)
    throw new ProblemError("unauthenticated", `a token may live ${TOKEN_SECONDS} s at most`);
  if (payload.htm !== expected.method || payload.htu !== expected.path) {
    throw new ProblemError(
      "unauthenticated",
      `the token was signed for ${String(payload.htm)} ${String(payload.htu)}, not for this request`,
    );
  }
}
