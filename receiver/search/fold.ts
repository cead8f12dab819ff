/**
 * How paths and what people type are compared: without case, without accents and other marks on a character, and without the
 * difference between two ways to write one. A word is a run of letters and digits; within one, others begin where letters
 * meet digits (three times: more often is no name, but an id), at a capital letter as in SalesReport or XMLFile (six times),
 * and at each character of a script that has no blanks between words. Nothing here is an identity.
 */
import { displayPath, percentDecode } from "@tributary/shared/path.ts";

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
/** Of Chinese, Japanese and Korean: a word may begin with any. */
const CJK = 3;
const CLASSES = classes();
/** Meetings of letters and digits in a run that begin a word. */
const MEETINGS = 3;
/** Capitals of a run that do. */
const CAPITALS = 6;
/** Of a word so much is kept: longer ones are told apart by their path. */
const LONGEST_WORD = 24;
/** There one begins with each character. */
const LONGEST_CJK = 4;

/** By UTF-16 unit; halves of pairs count as letters, but for those with which rare Han characters begin. */
function classes(): Uint8Array {
  const all = new Uint8Array(65_536);
  for (let unit = 0; unit < all.length; unit += 1) {
    const text = String.fromCharCode(unit);
    if (unit >= 0xd840 && unit <= 0xd888) all[unit] = CJK;
    else if (unit >= 0xd800 && unit <= 0xdfff) all[unit] = LETTER;
    else if (/\p{Nd}/u.test(text)) all[unit] = DIGIT;
    else if (/[\p{L}\p{M}\p{N}]/u.test(text))
      all[unit] = /[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]/u.test(text) ? CJK : LETTER;
  }
  return all;
}

const classAt = (text: string, at: number): number => CLASSES[text.charCodeAt(at)] ?? OTHER;

/** Those of kana make another sound, and those of Indic scripts are vowels: these stay. */
const MARKS = /(?=\p{M})(?![\u3099\u309a])[\p{Script=Inherited}\p{Script=Hebrew}]/gu;
const ASCII = /^[\0-\x7f]*$/;

/** Without marks, with its capitals. */
function unmarked(text: string): string {
  return ASCII.test(text) ? text : text.normalize("NFKD").replace(MARKS, "").normalize("NFC");
}

const lowered = (text: string): string => text.toLowerCase().replaceAll("ς", "σ");

export function folded(text: string): string {
  return lowered(unmarked(text));
}

/** A folded path, and where in it words begin that cannot be seen any more. */
export interface FoldedPath {
  readonly text: string;
  /** Ascending: capitals within a run of letters. */
  readonly capitals: readonly number[];
}

/** On one line; what cannot be read as UTF-8 stands as U+FFFD. */
export function foldedPath(pathEncoded: string): FoldedPath {
  const shown = displayPath(percentDecode(pathEncoded)).replaceAll("\n", " ").replaceAll("\u0002", " ");
  const cased = unmarked(shown);
  const text = lowered(cased);
  // No small letter is longer than its capital once marks are gone; were one, its places would be others.
  return { text, capitals: text === cased || text.length !== cased.length ? [] : capitalsOf(cased, text) };
}

/** Those after two small letters, and those before two: in ids of mixed case there are fewer of these. */
function capitalsOf(cased: string, text: string): readonly number[] {
  const isCapital = (at: number): boolean => cased.charCodeAt(at) !== text.charCodeAt(at);
  const isSmall = (at: number): boolean => classAt(text, at) === LETTER && !isCapital(at);
  const areSmall = (at: number): boolean => isSmall(at) && isSmall(at + 1);
  const found: number[] = [];
  let left = CAPITALS;
  for (let at = 1; at < text.length; at += 1) {
    if (classAt(text, at) === OTHER) left = CAPITALS;
    else if (left > 0 && isCapital(at) && classAt(text, at - 1) === LETTER)
      if (areSmall(at - 2) || areSmall(at + 1)) {
        found.push(at);
        left -= 1;
      }
  }
  return found;
}

/** As it stands in a block: `text`, and if there are any, STX and its `capitals` with commas. */
export function lineOf({ text, capitals }: FoldedPath): string {
  return capitals.length === 0 ? text : `${text}\u0002${capitals.join(",")}`;
}

export function parseLine(line: string): FoldedPath {
  const end = line.indexOf("\u0002");
  if (end === -1) return { text: line, capitals: [] };
  return {
    text: line.slice(0, end),
    capitals: line
      .slice(end + 1)
      .split(",")
      .map(Number),
  };
}

/** Words as the index keeps them, each once: from where it begins to the end of its run. */
export function wordsOf({ text, capitals }: FoldedPath, into = new Set<string>()): Set<string> {
  let next = 0;
  for (let at = 0; at < text.length; ) {
    if (classAt(text, at) === OTHER) {
      at += 1;
      continue;
    }
    let end = at + 1;
    while (end < text.length && classAt(text, end) !== OTHER) end += 1;
    let meetings = 0;
    for (let start = at; start < end; start += 1) {
      if (start > at && isMeeting(text, start)) meetings += 1;
      while ((capitals[next] ?? text.length) < start) next += 1;
      if (start === at || begins(text, start, meetings) || capitals[next] === start)
        into.add(cut(text.slice(start, end)));
    }
    at = end;
  }
  return into;
}

/** Within a run: whether letters meet digits there. */
function isMeeting(text: string, at: number): boolean {
  const [before, own] = [classAt(text, at - 1), classAt(text, at)];
  return before !== own && before !== CJK && own !== CJK;
}

/** Within a run, after so many `meetings` in it, this place included: without regard to capitals. */
function begins(text: string, at: number, meetings: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit >= 0xdc00 && unit <= 0xdfff) return false;
  if (classAt(text, at) === CJK || classAt(text, at - 1) === CJK) return true;
  return isMeeting(text, at) && meetings <= MEETINGS;
}

function cut(word: string): string {
  const longest = classAt(word, 0) === CJK ? LONGEST_CJK : LONGEST_WORD;
  if (word.length <= longest) return word;
  const isHalf = /[\ud800-\udbff]/.test(word.charAt(longest - 1));
  return word.slice(0, isHalf ? longest - 1 : longest);
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

export function hasTerm(path: FoldedPath, { text }: Term): boolean {
  for (let at = path.text.indexOf(text); at !== -1; at = path.text.indexOf(text, at + 1))
    if (classAt(text, 0) === OTHER || beginsWord(path, at)) return true;
  return false;
}

function beginsWord({ text, capitals }: FoldedPath, at: number): boolean {
  if (at === 0 || classAt(text, at - 1) === OTHER || capitals.includes(at)) return true;
  let meetings = 0;
  if (isMeeting(text, at))
    for (let i = at; i > 0 && classAt(text, i - 1) !== OTHER; i -= 1) if (isMeeting(text, i)) meetings += 1;
  return begins(text, at, meetings);
}
