import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { loadSsh2 } from "./library.ts";
import { openedKey, withoutSha1 } from "./private-key.ts";

test("an RSA key signs with SHA-2, and never with SHA-1", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const text = String(privateKey.export({ type: "pkcs1", format: "pem" }));
  const names = { key: "k", passphrase: undefined };
  const refused: string[] = [];
  const key = withoutSha1(openedKey(await loadSsh2(), text, undefined, names), (why) => refused.push(why));
  expect(key.sign(Buffer.from("x"), "sha256")).toBeInstanceOf(Buffer);
  expect(key.sign(Buffer.from("x"), "sha512")).toBeInstanceOf(Buffer);
  expect(refused).toEqual([]);
  expect(key.sign(Buffer.from("x"), "sha1")).toBeInstanceOf(Error);
  expect(key.sign(Buffer.from("x"))).toBeInstanceOf(Error);
  expect(refused.length).toBe(2);
  expect(refused[0]).toContain("legacy: true");
});
