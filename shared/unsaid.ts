/**
 * The same value with nothing secret in any of its texts, keys included: what is known to be a secret (`redact`), and what
 * has the form of one. In doubt more is hidden than has to be: a reader misses a word, a secret that is out stays out.
 */

export interface Unsaying {
  readonly redact: (text: string) => string;
  /** What stands where a secret stood. */
  readonly instead?: string;
}

/** How a name ends that says that what follows is nobody's business. */
const NAME =
  "(?:passw(?:or)?d|passphrase|pwd|secret|token|signature|sig|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key)";
/** In quotes, or until what ends a word in a query, a connection string or a sentence. */
const VALUE = `(?!\\[secret\\]|\\(secret\\))(?:"[^"\\\\]*|'[^'\\\\]*|[^\\s"'&;,<>)\\]}\\\\]+)`;

/** Each keeps its first group, which tells what it was. */
const FORMS: readonly RegExp[] = [
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  // RFC 3986, 3.2.1: `user:password@` in the authority of an address. The user stays; a password may be there as it was typed.
  /(\/\/[^/\s:@"'\\]{0,200}:)[^\s"'\\]{1,1000}(?=@)/g,
  // What a log line of somebody's library may repeat (RFC 9110, 11.6.2).
  /\b((?:proxy-)?authorization["']?\s{0,3}[:=]\s{0,3}["']?[\w-]{1,30}\s{1,3})[^\s"'\\]+/gi,
  /\b((?:Bearer|Basic)\s{1,3})[A-Za-z0-9._~+/=-]{8,}/gi,
  // In a query, a form, a connection string, a cookie; and in JSON.
  new RegExp(`(${NAME}["']?\\s{0,3}=\\s{0,3})${VALUE}`, "gi"),
  new RegExp(`(${NAME}\\\\?["']\\s{0,3}:\\s{0,3}\\\\?["'])${VALUE}`, "gi"),
  // Invitations, keys and links of Tributary, secrets of webhooks.
  /()\b(?:trb[a-z0-9]{1,2}|whsec)_[A-Za-z0-9_+/=-]{8,}/g,
  // A token signed as RFC 7515, 7.1 has it: its first part begins with `{"`.
  /()\beyJ[\w-]{4,}\.[\w-]+\.[\w-]*/g,
];

export function unsaid(value: unknown, unsaying: Unsaying): unknown {
  if (typeof value === "string") return withoutForms(unsaying.redact(value), unsaying.instead ?? "[secret]");
  if (Array.isArray(value)) return value.map((one) => unsaid(one, unsaying));
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [String(unsaid(key, unsaying)), unsaid(one, unsaying)]),
  );
}

function withoutForms(text: string, instead: string): string {
  return FORMS.reduce((said, form) => said.replace(form, (_all, kept: string) => `${kept}${instead}`), text);
}
