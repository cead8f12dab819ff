import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signToken, tokenIssuer, verifyToken } from "./token.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const now = Date.parse("2026-01-31T05:00:00Z");
const input = { agentId: "agent-1", site: "site-1", method: "PUT", path: "/v1/files/pos/a%20b", now };

describe("the token of a request", () => {
  test("verifies for its own method, path, site and time", async () => {
    const token = await signToken(input, privateKey);
    expect(tokenIssuer(token)).toBe("agent-1");
    await expect(verifyToken(token, input, publicKey)).resolves.toBeUndefined();
    await expect(verifyToken(token, { ...input, now: now + 119_000 }, publicKey)).resolves.toBeUndefined();
  });

  test.for([
    ["another path", { path: "/v1/files/pos/b" }, "unauthenticated"],
    ["another method", { method: "GET" }, "unauthenticated"],
    ["another site", { site: "site-2" }, "unauthenticated"],
    ["another agent", { agentId: "agent-2" }, "unauthenticated"],
    ["too late", { now: now + 131_000 }, "token-expired"],
    ["before its time", { now: now - 60_000 }, "token-expired"],
  ] as const)("is refused for %s", async ([, change, code]) => {
    const token = await signToken(input, privateKey);
    await expect(verifyToken(token, { ...input, ...change }, publicKey)).rejects.toMatchObject({ code });
  });

  test("is refused unsigned, signed by another key, or altered", async () => {
    const token = await signToken(input, privateKey);
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "tributary-agent+jwt" })).toString(
      "base64url",
    );
    const other = await signToken(input, generateKeyPairSync("ed25519").privateKey);
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
