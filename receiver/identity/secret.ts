/** Secrets that are shown once: of codes and API keys. 256 random bits, so a plain SHA-256 is enough to keep (nothing to guess). */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** What is handed out. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is kept: whoever reads the database cannot get in with it. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Takes equally long wherever the two differ. `hash` is undefined for an unknown id, which must take as long. */
export function secretMatches(secret: string, hash: string | undefined): boolean {
  const known = Buffer.from(hash ?? "0".repeat(64), "hex");
  const given = Buffer.from(hashSecret(secret), "hex");
  return timingSafeEqual(given, known) && hash !== undefined;
}
