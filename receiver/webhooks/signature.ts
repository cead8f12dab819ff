/** Signatures after Standard Webhooks, "Verifying webhook authenticity", symmetric: `v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body`. */
import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "whsec_";

/** `whsec_` and the base64 of 32 random bytes: the specification wants 24 to 64. */
export function newSecret(): string {
  return PREFIX + randomBytes(32).toString("base64");
}

/** The three headers of one attempt. `now` in ms: receivers refuse a timestamp that is not about theirs. */
export function signatureHeaders(secret: string, id: string, body: string, now: number) {
  const timestamp = String(Math.floor(now / 1000));
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${digest}` };
}
