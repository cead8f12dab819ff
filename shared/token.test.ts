import { generateKeyPairSync } from "node:crypto";
import { jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { signToken, tokenIssuer, verifyToken } from "./token.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const now = Date.parse("2026-01-31T05:00:00Z");
const input = { agentId: "agent-1", site: "site-1", method: "PUT", path: "/v1/files/pos/a%20b", now };

describe("the token of a request", () => {
  test("verifies for its own method, path, site and time", async () => {
    const token = signToken(input, privateKey);
    expect(tokenIssuer(token)).toBe("agent-1");
    await expect(verifyToken(token, input, publicKey)).resolves.toBeUndefined();
    await expect(verifyToken(token, { ...input, now: now + 119_000 }, publicKey)).resolves.toBeUndefined();
  });

  test("is a JWT that a library made by others verifies, with the claims of RFC 7519 and RFC 9449", async () => {
    const { payload, protectedHeader } = await jwtVerify(signToken(input, privateKey), publicKey, {
      currentDate: new Date(now),
    });
    expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "tributary-agent+jwt" });
    const seconds = now / 1000;
    expect(payload).toEqual({
      ...{ iss: "agent-1", aud: "site-1", htm: "PUT", htu: input.path, iat: seconds, exp: seconds + 120 },
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test.for([
    ["another path", { path: "/v1/files/pos/b" }, "unauthenticated"],
    ["another method", { method: "GET" }, "unauthenticated"],
    ["another site", { site: "site-2" }, "unauthenticated"],
    ["another agent", { agentId: "agent-2" }, "unauthenticated"],
    ["too late", { now: now + 131_000 }, "token-expired"],
    ["before its time", { now: now - 60_000 }, "token-expired"],
  ] as const)("is refused for %s", async ([, change, code]) => {
    const token = signToken(input, privateKey);
    await expect(verifyToken(token, { ...input, ...change }, publicKey)).rejects.toMatchObject({ code });
  });

  test("is refused unsigned, signed by another key, or altered", async () => {
    const token = signToken(input, privateKey);
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "tributary-agent+jwt" })).toString(
      "base64url",
    );
    const other = signToken(input, generateKeyPairSync("ed25519").privateKey);
    for (const bad of [
      `${none}.${payload}.`,
      `${header}.${payload}.`,
      other,
      `${header}.${payload}x.${signature}`,
      "",
      "a.b",
    ]) {
      await expect(verifyToken(bad, input, publicKey)).rejects.toMatchObject({ code: "unauthenticated" });
    }
  });
});
