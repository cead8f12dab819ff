/** Where in a path what was typed stands, for the eye: the receiver found it, and compares with more care. */

/** From, to; in order, none over another. */
export function markedIn(path: string, typed: string): readonly (readonly [number, number])[] {
  const text = foldedOf(path);
  const found = typed
    .split(/\s+/)
    .map((term) => foldedOf(term).text)
    .filter((term) => term !== "")
    .flatMap((term) => placesOf(text, term))
    .sort(([a], [b]) => a - b);
  const apart: (readonly [number, number])[] = [];
  for (const [from, to] of found) {
    const last = apart.at(-1);
    if (last !== undefined && from <= last[1]) apart[apart.length - 1] = [last[0], Math.max(last[1], to)];
    else apart.push([from, to]);
  }
  return apart;
}

/** What is compared, each character in as many parts as it has, and where those stand in what is shown. */
interface Folded {
  readonly shown: string;
  readonly text: string;
  /** Of each unit of `text`: where its character begins in `shown`. The last is the end of that. */
  readonly places: readonly number[];
}

const MARKS = /(?=\p{M})(?![\u3099\u309a])[\p{Script=Inherited}\p{Script=Hebrew}]/gu;

function foldedOf(shown: string): Folded {
  let [text, at] = ["", 0];
  const places: number[] = [];
  for (const character of shown) {
    const parts = character.normalize("NFKD").replace(MARKS, "").toLowerCase().replaceAll("ς", "σ");
    text += parts;
    for (let i = 0; i < parts.length; i += 1) places.push(at);
    at += character.length;
  }
  places.push(at);
  return { shown, text, places };
}

/** With the marks that follow its last character: these have no place of their own. */
function placesOf({ shown, text, places }: Folded, term: string): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (let at = text.indexOf(term); at !== -1; at = text.indexOf(term, at + term.length)) {
    const [from, last] = [places[at] ?? 0, places[at + term.length - 1] ?? 0];
    const end = places.slice(at + term.length).find((place) => place > last) ?? shown.length;
    if (beginsWord(shown, from)) found.push([from, end]);
  }
  return found;
}

const LETTER_OR_DIGIT = /[\p{L}\p{M}\p{N}]/u;
const ANYWHERE = /[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]/u;

function beginsWord(shown: string, at: number): boolean {
  const before = shown.slice(0, at).match(/\P{Mn}\p{Mn}*$/u)?.[0] ?? "/";
  const first = String.fromCodePoint(shown.codePointAt(at) ?? 0);
  if (!LETTER_OR_DIGIT.test(before) || !LETTER_OR_DIGIT.test(first)) return true;
  if (ANYWHERE.test(before) || ANYWHERE.test(first)) return true;
  if (/\d/.test(before) !== /\d/.test(first)) return true;
  return /\p{Lu}/u.test(first) && (/\p{Ll}/u.test(before) || /^.\p{M}*\p{Ll}/u.test(shown.slice(at)));
}
