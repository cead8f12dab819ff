/**
 * JSON in pieces, as it is written: numbers keep their digits, and what was cut in the middle gives what is there.
 * No recursion: a million brackets are a million steps.
 */
export interface Piece {
  readonly kind: "open" | "close" | "comma" | "colon" | "value";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /[ \t\r\n\uFEFF]*/y;
const WORD = /[^\s{}[\],:"]+/y;
const SIGNS: Readonly<Record<string, Piece["kind"]>> = {
  "{": "open",
  "[": "open",
  "}": "close",
  "]": "close",
  ",": "comma",
  ":": "colon",
};

/** Ends where the text ends, be it in the middle of a string. */
export function* piecesOf(text: string, from = 0): Generator<Piece> {
  for (let at = from; ; ) {
    const start = after(SPACE, text, at);
    const sign = text[start];
    if (sign === undefined) return;
    const kind = SIGNS[sign] ?? "value";
    const end =
      kind !== "value" ? start + 1 : sign === '"' ? afterString(text, start) : after(WORD, text, start);
    // Something that has no place in JSON, as U+00A0: it is passed on as it is.
    at = Math.max(end, start + 1);
    yield { kind, text: text.slice(start, at), start, end: at };
  }
}

function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function afterString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at += 1;
  }
  return text.length;
}

/** Texts of the elements of the array, or of the members of the object, that the text begins with. The last may be cut. */
export function* partsOf(text: string): Generator<string> {
  let depth = 0;
  let start: number | undefined;
  let end = 0;
  for (const piece of piecesOf(text)) {
    if (piece.kind === "close") depth -= 1;
    const over = depth <= 0 ? piece.kind === "close" : depth === 1 && piece.kind === "comma";
    if (over) {
      if (start !== undefined) yield text.slice(start, end);
      start = undefined;
      if (depth <= 0) return;
    } else if (depth > 0) {
      start ??= piece.start;
      end = piece.end;
    } else if (piece.kind !== "open") return;
    if (piece.kind === "open") depth += 1;
  }
  if (start !== undefined) yield text.slice(start, end);
}

/** Key and text of each member of an object. */
export function* membersOf(text: string): Generator<readonly [string, string]> {
  for (const part of partsOf(text)) {
    const [key, colon] = piecesOf(part);
    if (key?.kind === "value" && colon?.kind === "colon")
      yield [plain(key.text), part.slice(colon.end).trim()];
  }
}

/** What a string says; anything else as it is written. */
export function plain(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1);
  }
}
