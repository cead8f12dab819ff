/** Takes secrets out of what is said: everything that was read as a secret, in every dress in which programs repeat such things. */
import { inspect } from "node:util";

const PUT_INSTEAD = "[secret]";
/** Shorter ones stand in many words by chance: there they are left. */
const SHORT = 4;
/** Shorter ones give Base64 that stands in many words by chance. */
const SHORTEST_BASE64 = 8;
/** `key=1` in a query is no secret. */
const SHORTEST_PART = 8;
/** A line of a private key, not the words before and after it. */
const SHORTEST_LINE = 16;
/** Credentials that are exchanged every hour would be remembered for years; what old ones opened is closed by then. */
const MOST_KNOWN = 500;

export class Redactor {
  /** Value -> what is looked for. */
  readonly #known = new Map<string, readonly (string | RegExp)[]>();

  /** From now on the value is never said. When it gets too many, those that nobody has read for longest are forgotten. */
  learn(value: string): void {
    if (value === "") return;
    const known = this.#known.get(value);
    this.#known.delete(value);
    this.#known.set(value, known ?? [...new Set([value, ...partsOf(value)])].flatMap(dressesOf));
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  /** The text with every secret replaced. */
  readonly redact = (text: string): string => {
    if (this.#known.size === 0) return text;
    const found: (readonly [from: number, to: number])[] = [];
    for (const dresses of this.#known.values())
      for (const one of dresses) for (const span of spansOf(text, one)) found.push(span);
    return found.length === 0 ? text : withoutSpans(text, found);
  };
}

function* spansOf(text: string, wanted: string | RegExp): Generator<readonly [number, number]> {
  if (typeof wanted !== "string") {
    for (const { index, 0: match } of text.matchAll(wanted)) yield [index, index + match.length];
    return;
  }
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1))
    yield [at, at + wanted.length];
}

/** All at once: of what stands for one secret, nothing is taken for another. */
function withoutSpans(text: string, spans: (readonly [number, number])[]): string {
  let out = "";
  let done = 0;
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    if (from > done || (from === done && done === 0)) out += `${text.slice(done, from)}${PUT_INSTEAD}`;
    done = Math.max(done, to);
  }
  return out + text.slice(done);
}

const SIGNATURES = /^(sig|.*signature|.*token|.*password|.*secret|.*key)$/i;

/** What of it is a secret by itself: programs quote a line of a key, and the query of a URL without its host. */
function partsOf(value: string): string[] {
  const lines = value.split(/\r?\n/);
  const long = lines.length === 1 ? [] : lines.filter((line) => line.length >= SHORTEST_LINE);
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const query = url?.search ?? (/^\??[\w.-]+=[^&\s]*(&|$)/.test(value) ? value : "");
  const raw = query
    .replace(/^\?/, "")
    .split("&")
    .filter((pair) => SIGNATURES.test(pair.split("=", 1)[0] ?? ""))
    .map((pair) => pair.slice(pair.indexOf("=") + 1));
  const named = [...value.matchAll(/(?:^|;)\s*(\w+)\s*=\s*([^;]+)/g)]
    .filter(([, key = ""]) => value.includes(";") && SIGNATURES.test(key))
    .map(([, , part = ""]) => part);
  const parts = [...long.filter((line) => !line.startsWith("-----")), ...raw, ...named]
    .map((part) => part.trim())
    .filter((part) => part.length >= SHORTEST_PART);
  const password = url?.password ?? "";
  return [...parts, ...(password.length < SHORT ? [] : [password])].flatMap((part) => [part, decoded(part)]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function dressesOf(value: string): (string | RegExp)[] {
  if (value.length < SHORT)
    return [new RegExp(`(?<![\\p{L}\\p{N}_])${literal(value)}(?![\\p{L}\\p{N}_])`, "gu")];
  const escaped = [...percentEncoded(value)].flatMap((one) => [
    one,
    one.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
  ]);
  const quoted = [
    JSON.stringify(value).slice(1, -1),
    inspect(value, { breakLength: Number.POSITIVE_INFINITY, maxStringLength: null }).slice(1, -1),
    value.replace(/[&<>"']/g, (c) => XML[c] ?? c),
  ];
  const base64 = value.length < SHORTEST_BASE64 ? [] : base64Of(Buffer.from(value));
  return [...new Set([value, ...escaped, ...quoted, ...base64])];
}

const XML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** As URLs, forms, signatures of clouds and URLs that were parsed have it. */
function* percentEncoded(value: string): Generator<string> {
  const whole = value.toWellFormed();
  const component = encodeURIComponent(whole);
  const strict = component.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  yield component;
  yield strict;
  yield strict.replaceAll("%2F", "/");
  yield encodeURI(whole);
  yield new URLSearchParams({ "": whole }).toString().slice(1);
  // What WHATWG's parser leaves of it in user info and query.
  yield component.replace(/%(21|24|26|27|28|29|2A|2B|2C)/g, (hex) => decodeURIComponent(hex));
}

/** Alone, and in the middle of a longer one, such as "user:password": its bits may begin at three places of a character. */
function base64Of(bytes: Buffer): string[] {
  const inner = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64url");
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  const plain = inner.map((text) => text.replaceAll("-", "+").replaceAll("_", "/"));
  return [bytes.toString("base64"), ...plain, bytes.toString("base64url"), ...inner];
}
