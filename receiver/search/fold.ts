/**
 * How paths and what people type are compared: without case, and without the difference between two ways to write one
 * character. A word is a run of letters and digits; one also begins where letters meet digits, three times in a run (more
 * often is no word, but an id). Nothing here is an identity.
 */
import { displayPath, percentDecode } from "@tributary/shared/path.ts";

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const CLASSES = classes();
/** Meetings of letters and digits in a run that begin a word. */
const MEETINGS = 3;
/** Of a word so much is kept: longer ones are told apart by their path. */
const LONGEST_WORD = 24;

/** By UTF-16 unit; halves of pairs count as letters. */
function classes(): Uint8Array {
  const all = new Uint8Array(65_536);
  for (let unit = 0; unit < all.length; unit += 1) {
    if (unit >= 0xd800 && unit <= 0xdfff) all[unit] = LETTER;
    else {
      const text = String.fromCharCode(unit);
      if (/\p{Nd}/u.test(text)) all[unit] = DIGIT;
      else if (/[\p{L}\p{M}\p{N}]/u.test(text)) all[unit] = LETTER;
    }
  }
  return all;
}

const classAt = (text: string, at: number): number => CLASSES[text.charCodeAt(at)] ?? OTHER;

export function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll("ς", "σ");
}

/** On one line; what cannot be read as UTF-8 stands as U+FFFD. */
export function foldedPath(pathEncoded: string): string {
  return folded(displayPath(percentDecode(pathEncoded))).replaceAll("\n", " ");
}

/** Of a folded text: words as the index keeps them, each once. */
export function wordsOf(text: string, into = new Set<string>()): Set<string> {
  for (let at = 0; at < text.length; ) {
    if (classAt(text, at) === OTHER) {
      at += 1;
      continue;
    }
    let end = at + 1;
    const starts = [at];
    for (; end < text.length && classAt(text, end) !== OTHER; end += 1)
      if (starts.length <= MEETINGS && classAt(text, end) !== classAt(text, end - 1)) starts.push(end);
    for (const start of starts) into.add(cut(text.slice(start, end)));
    at = end;
  }
  return into;
}

function cut(word: string): string {
  if (word.length <= LONGEST_WORD) return word;
  const isHalf = /[\ud800-\udbff]/.test(word.charAt(LONGEST_WORD - 1));
  return word.slice(0, isHalf ? LONGEST_WORD - 1 : LONGEST_WORD);
}

/** What one space-separated part of what was typed asks for. */
export interface Term {
  /** Folded: a path has all of it, from where a word begins (unless it begins with no letter or digit). */
  readonly text: string;
  /** Words that a path with this term has; `whole`: exactly so, and not only as the begin of one. */
  readonly words: readonly { readonly text: string; readonly whole: boolean }[];
}

export function termsOf(typed: string): readonly Term[] {
  return [...new Set(folded(typed).split(/\s+/))].filter((text) => text !== "").map(termOf);
}

function termOf(text: string): Term {
  const words: { text: string; whole: boolean }[] = [];
  for (let at = 0; at < text.length; ) {
    if (classAt(text, at) === OTHER) {
      at += 1;
      continue;
    }
    let end = at;
    while (end < text.length && classAt(text, end) !== OTHER) end += 1;
    const word = text.slice(at, end);
    words.push({ text: cut(word), whole: end < text.length });
    at = end;
  }
  return { text, words };
}

/** Whether a folded path has it. */
export function hasTerm(path: string, { text }: Term): boolean {
  for (let at = path.indexOf(text); at !== -1; at = path.indexOf(text, at + 1))
    if (classAt(text, 0) === OTHER || beginsWord(path, at)) return true;
  return false;
}

function beginsWord(path: string, at: number): boolean {
  if (at === 0 || classAt(path, at - 1) === OTHER) return true;
  if (classAt(path, at - 1) === classAt(path, at)) return false;
  let meetings = 0;
  for (let i = at; i > 0 && classAt(path, i - 1) !== OTHER; i -= 1)
    if (classAt(path, i - 1) !== classAt(path, i)) meetings += 1;
  return meetings <= MEETINGS;
}
