/** The same value with nothing secret in any of its texts, keys included. */

/** RFC 3986, 3.2.1: `user:password@` in the authority of an address; the user stays. */
const PASSWORD = /(\/\/[^/\s:@"'\\]*:)[^/\s"'\\]+(?=@)/g;
/** What a log line of somebody's library may repeat: `Authorization: Bearer …`, a token of this agent, a private key. */
const BEARER = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/g;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const INVITATION = /\btrb[a-z0-9]{1,2}_[A-Za-z0-9_-]{8,}/g;

export function unsaid(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return plain(redact(value));
  if (Array.isArray(value)) return value.map((one) => unsaid(one, redact));
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [plain(redact(key)), unsaid(one, redact)]),
  );
}

function plain(text: string): string {
  return text
    .replace(PEM, "[secret]")
    .replace(PASSWORD, "$1[secret]")
    .replace(BEARER, "$1 [secret]")
    .replace(INVITATION, "[secret]");
}
