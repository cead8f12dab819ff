/** CSV as programs really write it: the delimiter is guessed, and no value is changed. */
import papa from "papaparse";
import { tableOf } from "./cells.ts";
import type { Table } from "./preview.ts";

/** In the order of trust: where a semicolon parts as well as a comma does, commas stand in numbers. */
const DELIMITERS = ["\t", ";", "|", ","] as const;
const NAMES: Readonly<Record<string, string>> = { "\t": "tab", ";": "semicolon", "|": "bar", ",": "comma" };
const TO_GUESS_FROM = 64 * 1024;

interface Guess {
  readonly delimiter: string;
  /** Share of rows with as many fields as most have. */
  readonly share: number;
  readonly fields: number;
  readonly rows: number;
}

/** The delimiter that parts the first rows most evenly; undefined when none parts them at all. */
function guessDelimiter(text: string): Guess | undefined {
  const sample = text.slice(0, TO_GUESS_FROM);
  const guesses = DELIMITERS.filter((delimiter) => sample.includes(delimiter)).map((delimiter) => {
    const { data } = papa.parse<string[]>(sample, { delimiter, preview: 21, skipEmptyLines: true });
    // The sample may end in the midst of the last one.
    const rows = data.length > 1 ? data.slice(0, 20) : data;
    const counts = new Map<number, number>();
    for (const row of rows) counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
    const [fields = 0, often = 0] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [];
    return { delimiter, fields, share: rows.length === 0 ? 0 : often / rows.length, rows: rows.length };
  });
  const parting = guesses.filter(({ fields }) => fields > 1);
  const best = Math.max(...parting.map(({ share }) => share));
  return parting.find(({ share }) => share >= 0.9 || share === best);
}

/** Whether text of no telling name is a table beyond doubt. */
export function looksLikeTable(text: string): boolean {
  const guess = guessDelimiter(text);
  if (guess === undefined || guess.rows < 3) return false;
  // Commas part sentences too.
  return guess.share === 1 && (guess.delimiter !== "," || guess.fields > 2);
}

export function previewCsv(
  text: string,
  cut: boolean,
  notes: readonly string[],
  wish: { readonly rows: number; readonly columns: number },
): Table {
  const said = /^sep=(.)\r?\n/.exec(text);
  const rest = said === null ? text : text.slice(said[0].length);
  const delimiter = said?.[1] ?? guessDelimiter(rest)?.delimiter ?? ",";
  const ways = { delimiter, preview: wish.rows + 2, skipEmptyLines: true } as const;
  const { data, errors, meta } = papa.parse<string[]>(rest, ways);
  // Where not all was read the last row may be half of one.
  const half = cut && !meta.truncated && data.length > 1;
  const rows = half ? data.slice(0, -1) : data;
  const open = errors.some(({ code }) => code === "MissingQuotes") && !half;
  return tableOf(
    {
      format: "csv",
      rows,
      more: cut || meta.truncated,
      notes: [
        `Delimiter: ${NAMES[delimiter] ?? JSON.stringify(delimiter)}.`,
        ...notes,
        ...(open ? ["A quotation mark is never closed: all behind it is one value."] : []),
      ],
    },
    wish,
  );
}
