/**
 * The key that keeps secrets of the ledger closed which must be readable again (those that sign webhooks): `secrets.key`
 * in the folder `keys:`, 32 bytes in base64url. Whoever has the ledger or a backup alone can open nothing.
 * A closed secret is base64url of 12 bytes nonce, ciphertext, 16 bytes tag (AES-256-GCM, NIST SP 800-38D); the name of
 * its owner is authenticated with it, so that it cannot be moved to another row.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { readKeyFile, writeKeyFile } from "./folder.ts";

const NAME = "secrets.key";
const NONCE = 12;
const TAG = 16;

/** Undefined when there is none. Throws `keys-refused` when the file is damaged. */
export function readSecretsKey(folder: string): Buffer | undefined {
  const text = readKeyFile(folder, NAME)?.trim();
  if (text === undefined) return undefined;
  const key = Buffer.from(text, "base64url");
  if (key.length === 32 && key.toString("base64url") === text) return key;
  throw new ProblemError(
    "keys-refused",
    `${NAME} in ${folder} is damaged; copy the folder from another receiver of the site, or from a backup`,
  );
}

/** A new one, durable when it returns. */
export function writeSecretsKey(folder: string): void {
  writeKeyFile(folder, NAME, `${randomBytes(32).toString("base64url")}\n`);
}

/** Of 256 random bits nothing can be learned from it. */
export function secretsFingerprint(key: Buffer): string {
  return createHash("sha256").update(key).digest("hex");
}

/** The closed form of a secret that belongs to `owner`. */
export function closeSecret(key: Buffer, secret: string, owner: string): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(owner));
  return Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
    "base64url",
  );
}

/** Undefined when it was closed with another key or for another owner. */
export function openSecret(key: Buffer, closed: string, owner: string): string | undefined {
  const bytes = Buffer.from(closed, "base64url");
  if (bytes.length < NONCE + TAG) return undefined;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE), { authTagLength: TAG })
      .setAAD(Buffer.from(owner))
      .setAuthTag(bytes.subarray(-TAG));
    return decipher.update(bytes.subarray(NONCE, -TAG), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined;
  }
}
