/** Invitations with a mistake. */

/** Of the same receiver, well formed, and with a secret that it never gave out. */
export function brokenCode(code: string): string {
  const parts = JSON.parse(Buffer.from(code.slice("trb1_".length), "base64url").toString());
  const secret = Buffer.alloc(32, 7).toString("base64url");
  return `trb1_${Buffer.from(JSON.stringify({ ...parts, secret })).toString("base64url")}`;
}
