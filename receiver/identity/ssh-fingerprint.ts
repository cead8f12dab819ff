/** How people compare SSH keys: `SHA256:…`, as ssh-keygen shows it. */
import { createHash } from "node:crypto";

export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
