/** Takes secrets out of what is said: everything that was read as a secret, in every dress in which programs repeat such things. */

/** Shorter ones stand in many words by chance: there they are left. */
const SHORT = 4;
/** Shorter ones give Base64 that stands in many words by chance. */
const SHORTEST_BASE64 = 8;
/** `key=1` in a query is no secret. */
const SHORTEST_PART = 8;
/** Longer ones are looked for in three dresses only; of a private key each line is known by itself. */
const LONG = 1_000;
/** A line of a private key, not the words before and after it. */
const SHORTEST_LINE = 16;
/** Credentials that are exchanged every hour would be remembered for years; what old ones opened is closed by then. */
const MOST_KNOWN = 500;

export class Redactor {
  /** Value -> what is looked for. */
  readonly #instead: string;
  readonly #known = new Map<string, readonly (string | RegExp)[]>();

  /** `instead`: what stands where a secret stood. */
  constructor(instead = "[secret]") {
    this.#instead = instead;
  }

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
    const found: Span[] = [];
    for (const dresses of this.#known.values()) for (const one of dresses) addSpans(text, one, found);
    return found.length === 0 ? text : withoutSpans(text, found, this.#instead);
  };
}

type Span = readonly [from: number, to: number];

/** Every line of the log comes by here, and almost none holds one: a look that finds nothing makes nothing. Those that overlap are found too. */
function addSpans(text: string, wanted: string | RegExp, found: Span[]): void {
  if (typeof wanted === "string") {
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1))
      found.push([at, at + wanted.length]);
    return;
  }
  wanted.lastIndex = 0;
  for (let match = wanted.exec(text); match !== null; match = wanted.exec(text)) {
    found.push([match.index, wanted.lastIndex]);
    wanted.lastIndex = match.index + 1;
  }
}

/** All at once: of what stands for one secret, nothing is taken for another. */
function withoutSpans(text: string, spans: Span[], instead: string): string {
  let out = "";
  let done = 0;
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    if (from > done || (from === done && done === 0)) out += `${text.slice(done, from)}${instead}`;
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
  const base64 = value.length < SHORTEST_BASE64 ? [] : base64Of(Buffer.from(value));
  if (value.length > LONG)
    return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.toWellFormed()), ...base64];
  return [anyDress(value), ...base64];
}

/**
 * Each character plain, percent-encoded, or escaped as JSON, XML and Node's own `inspect` do it: who encodes what is not agreed
 * anywhere (of `'` every part of a URL thinks otherwise). A run of backslashes is one piece: it could be read in many ways.
 */
function anyDress(value: string): RegExp {
  const pieces = value.match(/\\+|[\s\S]/gu) ?? [];
  return new RegExp(pieces.map(pieceOf).join(""), "g");
}

function pieceOf(piece: string): string {
  if (/^[A-Za-z0-9]$/.test(piece)) return piece;
  const encoded = percentEncoded(piece).replace(/[A-F]/g, (digit) => `[${digit}${digit.toLowerCase()}]`);
  if (piece.startsWith("\\")) return `(?:${encoded}|\\\\{${piece.length},${2 * piece.length}})`;
  const named = XML[piece] === undefined ? [] : [XML[piece]];
  const spoken = [
    JSON.stringify(piece).slice(1, -1),
    `\\${piece}`,
    piece,
    ...named,
    ...(piece === " " ? ["+"] : []),
  ];
  return `(?:${[encoded, ...new Set(spoken.map(literal))].join("|")})`;
}

const XML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Every byte but those of letters and digits. */
function percentEncoded(value: string): string {
  return value
    .toWellFormed()
    .replace(/[^A-Za-z0-9]+/g, (text) =>
      Buffer.from(text).toString("hex").toUpperCase().replace(/../g, "%$&"),
    );
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
