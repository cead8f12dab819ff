/** Where in a path what was typed stands, for the eye: the receiver found it, and compares with more care. */

const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** From, to; in order, none over another. */
export function markedIn(path: string, typed: string): readonly (readonly [number, number])[] {
  const text = path.toLowerCase();
  // Of a few characters the small letter is longer: what is found there would stand beside it.
  if (text.length !== path.length) return [];
  const found = typed
    .toLowerCase()
    .split(/\s+/)
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

/** Where words begin, or numbers in them. */
function placesOf(text: string, term: string): readonly (readonly [number, number])[] {
  const places: [number, number][] = [];
  for (let at = text.indexOf(term); at !== -1; at = text.indexOf(term, at + term.length)) {
    const [before, first] = [text[at - 1] ?? "/", term[0] ?? ""];
    const begins = !LETTER_OR_DIGIT.test(before) || !LETTER_OR_DIGIT.test(first);
    if (begins || /\d/.test(before) !== /\d/.test(first)) places.push([at, at + term.length]);
  }
  return places;
}
