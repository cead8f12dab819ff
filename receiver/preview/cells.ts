/** Tables of a bounded size: whatever a file holds, its answer is small. */
import type { Column, Table } from "./preview.ts";

const MOST_IN_CELL = 500;
/** Characters of one answer. */
const MOST_IN_ANSWER = 2 * 2 ** 20;

/** At most 500 characters and then `…`; no character is cut in two. */
export function cut(text: string, most = MOST_IN_CELL): string {
  if (text.length <= most) return text;
  const half = /[\uD800-\uDBFF]/.test(text[most - 1] ?? "");
  return `${text.slice(0, half ? most - 1 : most)}…`;
}

export interface Found {
  readonly format: Table["format"];
  /** Without them the first row may be their names. */
  readonly columns?: readonly Column[];
  /** What a column without a name is called. */
  readonly nameOf?: (index: number) => string;
  /** May be ragged. */
  readonly rows: readonly (readonly string[])[];
  /** Where they were cut already: how wide they are. */
  readonly width?: number;
  /** There is more behind these rows. */
  readonly more: boolean;
  readonly notes: readonly string[];
}

/** Rows as wide as each other, within the bounds; what was left out is said in a note. */
export function tableOf(found: Found, wish: { readonly rows: number; readonly columns: number }): Table {
  const { format, notes, nameOf = (index) => `column ${index + 1}` } = found;
  const named = found.columns === undefined && isHeader(found.rows);
  const header = named ? (found.rows[0] ?? []) : [];
  const body = named ? found.rows.slice(1) : found.rows;
  const width = Math.max(
    found.width ?? 0,
    widest([...body.slice(0, wish.rows), header, found.columns ?? []]),
  );
  const shown = Math.min(width, wish.columns);
  const columns = Array.from({ length: shown }, (_, index): Column => {
    const given = found.columns?.[index] ?? { name: header[index] || nameOf(index) };
    return { ...given, name: cut(given.name) };
  });
  const rows: string[][] = [];
  let left = MOST_IN_ANSWER;
  for (const row of body.slice(0, wish.rows)) {
    const cells = Array.from({ length: shown }, (_, index) => cut(row[index] ?? ""));
    left -= cells.reduce((sum, cell) => sum + cell.length, shown);
    if (left < 0 && rows.length > 0) break;
    rows.push(cells);
  }
  return {
    kind: "table",
    format,
    columns,
    rows,
    more: found.more || body.length > rows.length,
    notes: [
      ...notes,
      ...(named ? ["The first row is taken for the names of the columns."] : []),
      ...(width > shown ? [`${shown} of ${width} columns are shown.`] : []),
    ],
  };
}

const widest = (rows: readonly (readonly unknown[])[]): number =>
  rows.reduce((most, row) => Math.max(most, row.length), 0);

const NUMBER_OR_DATE = /^[-+(]?[\d\s.,:/%€$£TZ+-]*\d[\d\s.,:/%€$£TZ+)-]*$/;

/** Names are words, no two alike, and none is missing but at the end; numbers and dates are values. */
function isHeader([first, ...others]: readonly (readonly string[])[]): boolean {
  if (first === undefined || others.length === 0) return false;
  const names = first.slice(0, first.findLastIndex((name) => name.trim() !== "") + 1);
  return (
    names.length > 0 &&
    names.every((name) => name.trim() !== "" && name.length <= 200 && !NUMBER_OR_DATE.test(name.trim())) &&
    new Set(names).size === names.length
  );
}
