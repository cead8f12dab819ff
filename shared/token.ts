/**
 * The token on every request of an agent: a JWT (RFC 7519) signed with the key that was made on the host, bound
 * to one method and path as DPoP does (RFC 9449, 4.2: `htm`, `htu`), good for at most two minutes. `aud` is the
 * site's UUID, never a URL, so that a receiver may move.
 */
import { type KeyObject, randomUUID } from "node:crypto";
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
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

export async function signToken(input: TokenInput, privateKey: KeyObject): Promise<string> {
  const seconds = Math.floor(input.now / 1000);
  return await new SignJWT({ htm: input.method, htu: input.path })
    .setProtectedHeader({ alg: "EdDSA", typ: "tributary-agent+jwt" })
    .setIssuer(input.agentId)
    .setAudience(input.site)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + TOKEN_SECONDS)
    .setJti(randomUUID())
    .sign(privateKey);
}

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
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, publicKey, {
      algorithms: ["EdDSA"],
      typ: "tributary-agent+jwt",
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
