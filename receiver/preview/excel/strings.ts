/** The strings that cells share, as far as the cells that are shown need them. */
import { readXml } from "./xml.ts";

const MOST_KEPT = 2_000;

/** Puts them into `strings` by their numbers, as they come; reads no further than the last one that is wanted. */
export async function readStrings(
  pieces: AsyncIterable<string>,
  wanted: ReadonlySet<number>,
  strings: Map<number, string>,
): Promise<void> {
  const last = wanted.size === 0 ? -1 : [...wanted].reduce((most, one) => Math.max(most, one));
  let index = -1;
  let text = "";
  let reading = false;
  let phonetic = false;
  if (last < 0) return;
  await readXml(pieces, {
    open: (name) => {
      if (name === "si") {
        index += 1;
        text = "";
      } else if (name === "rPh") phonetic = true;
      else if (name === "t") reading = !phonetic && wanted.has(index);
      return false;
    },
    text: (piece) => {
      if (reading && text.length < MOST_KEPT) text += piece.slice(0, MOST_KEPT - text.length);
    },
    close: (name) => {
      if (name === "t") reading = false;
      if (name === "rPh") phonetic = false;
      if (name !== "si") return false;
      if (wanted.has(index)) strings.set(index, text);
      return index >= last;
    },
  });
}
