import { expect, onTestFinished, test } from "vitest";
import { addApiKey, listApiKeys, parseApiKey, revokeApiKey } from "./apikeys.ts";
import { openScene } from "./scene.ts";
import { hashSecret, secretMatches } from "./secret.ts";

const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });

test("a key is write-only unless more is named, and its secret is nowhere in the ledger", async () => {
  const { db } = await openScene(onTestFinished);
  const text = await addApiKey(db, { client: "bakery", name: "erp" });
  const { id, secret } = parseApiKey(text) as { id: string; secret: string };
  expect(await listApiKeys(db)).toMatchObject([
    { id, client: "bakery", name: "erp", source: null, scopes: ["write"], revokedAt: null },
  ]);
  expect(JSON.stringify(await db.selectFrom("api_keys").selectAll().execute())).not.toContain(secret);
  await addApiKey(db, { client: "mill", source: "pos", scopes: ["write", "read", "remove"] });
  expect((await listApiKeys(db))[1]).toMatchObject({ source: "pos", scopes: ["write", "read", "remove"] });
});

test.for([
  [{ client: "dairy" }, "not-found"],
  [{ client: "bakery", scopes: ["admin"] }, "request-invalid"],
  [{ client: "bakery", scopes: [] }, "request-invalid"],
  [{ client: "bakery", source: "../etc" }, "request-invalid"],
] as const)("%j is refused: %s", async ([wanted, code]) => {
  const { db } = await openScene(onTestFinished);
  await expect(addApiKey(db, wanted)).rejects.toEqual(refusal(code));
  expect(await listApiKeys(db)).toEqual([]);
});

test("revoking keeps the first time", async () => {
  const { db } = await openScene(onTestFinished);
  const { id } = parseApiKey(await addApiKey(db, { client: "bakery" })) as { id: string };
  await revokeApiKey(db, id, 1000);
  await revokeApiKey(db, id, 2000);
  expect((await listApiKeys(db))[0]?.revokedAt).toBe(new Date(1000).toISOString());
  await expect(revokeApiKey(db, "0".repeat(16))).rejects.toEqual(refusal("not-found"));
});

test("secrets are compared by their hash; an unknown id never matches", () => {
  expect(secretMatches("a", hashSecret("a"))).toBe(true);
  expect(secretMatches("b", hashSecret("a"))).toBe(false);
  expect(secretMatches("a", undefined)).toBe(false);
});

test.for(["trbk_", "trbk_0123456789abcdef_short", `trbk_XYZ_${"a".repeat(43)}`, "x"])(
  "%s is no key",
  (text) => {
    expect(parseApiKey(text)).toBeUndefined();
  },
);
