import { generateKeyPairSync } from "node:crypto";
import { compactVerify, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import type { Jwks } from "./protocol.ts";
import { keyThumbprint, type ReceiptClaims, signReceipt, verifyReceipt } from "./receipt.ts";

function site() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" }) as { x: string };
  const kid = keyThumbprint(x);
  const jwks: Jwks = { keys: [{ kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" }] };
  return { privateKey, kid, jwks };
}

const claims: ReceiptClaims = {
  iss: "0b8f2f0a-6a5e-4a5e-9c1f-1f2e3d4c5b6a",
  client: "acme",
  source: "pos",
  pathEncoded: "a/b%20c.csv",
  versionId: "01890a5d-ac96-774b-bcce-b302099a8057",
  captureId: "01890a5d-ac96-774b-bcce-b302099a8058",
  size: 3,
  sha256: "a".repeat(64),
  status: "created",
  receivedAt: "2026-01-31T05:00:00.000Z",
  channel: "push",
  agentId: null,
};

describe("receipts", () => {
  test("verify offline, and with any other JWS implementation", async () => {
    const { privateKey, kid, jwks } = site();
    const receipt = signReceipt(claims, privateKey, kid);
    expect(verifyReceipt(`${receipt}\n`, jwks)).toEqual(claims);
    const { payload } = await compactVerify(receipt, await importJWK(jwks.keys[0] as object, "EdDSA"));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(claims);
  });

  test("an altered claim, a foreign key, another type and rubbish are refused", () => {
    const { privateKey, kid, jwks } = site();
    const receipt = signReceipt(claims, privateKey, kid);
    const [header, , signature] = receipt.split(".") as [string, string, string];
    const forged = Buffer.from(JSON.stringify({ ...claims, size: 4 })).toString("base64url");
    const none = Buffer.from(JSON.stringify({ alg: "none", kid })).toString("base64url");
    const cases: [string, RegExp][] = [
      [`${header}.${forged}.${signature}`, /altered/],
      [signReceipt(claims, site().privateKey, kid), /altered/],
      [signReceipt(claims, privateKey, "other"), /not one of this receiver's/],
      [`${none}.${forged}.`, /not a receipt/],
      ["hello", /three parts/],
      ["a.b.c", /base64url JSON/],
    ];
    for (const [text, reason] of cases) expect(() => verifyReceipt(text, jwks)).toThrow(reason);
  });
});
