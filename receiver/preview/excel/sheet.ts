/** The first rows of a sheet: what each cell holds, without what it means. A formula's value is the one that was saved. */
import { readXml } from "./xml.ts";

export interface Cell {
  /** `s`: the value is a number in the shared strings; `n`: a number. ECMA-376 part 1, 18.18.11. */
  readonly type: string;
  readonly style: number;
  readonly value: string;
}

export interface Sheet {
  /** Sparse. */
  readonly rows: readonly (readonly Cell[])[];
  readonly more: boolean;
  /** Columns of these rows, those that were left out too. */
  readonly width: number;
  /** What the sheet says of its size, as `A1:F2000`. */
  readonly dimension: string | undefined;
  /** Cells with a formula that has no saved value. */
  readonly uncomputed: number;
}

/** Characters that are kept of one value. */
const MOST_KEPT = 2_000;
const LAST_COLUMN = 16_384;

export async function readSheet(
  pieces: AsyncIterable<string>,
  most: { readonly rows: number; readonly columns: number },
): Promise<Sheet> {
  const rows: Cell[][] = [];
  let dimension: string | undefined;
  let more = false;
  let width = 0;
  let uncomputed = 0;
  let row = -1;
  let column = -1;
  let cell: { type: string; style: number; value: string; formula: boolean } | undefined;
  /** In an element whose text counts; phonetic readings (`rPh`) do not. */
  let reading = false;
  let phonetic = false;

  await readXml(pieces, {
    open: (name, attributes) => {
      if (name === "dimension") dimension = attributes["ref"];
      else if (name === "row") {
        row = Math.max(row + 1, rowOf(attributes["r"], row + 1));
        column = -1;
        more = row >= most.rows;
        return more;
      } else if (name === "c") {
        column = columnOf(attributes["r"]) ?? column + 1;
        cell = {
          type: attributes["t"] ?? "n",
          style: Number(attributes["s"] ?? 0),
          value: "",
          formula: false,
        };
      } else if (name === "f" && cell !== undefined) cell.formula = true;
      else if (name === "rPh") phonetic = true;
      else if (name === "v" || name === "t") reading = !phonetic;
      return false;
    },
    text: (text) => {
      if (reading && cell !== undefined && cell.value.length < MOST_KEPT)
        cell.value += text.slice(0, MOST_KEPT - cell.value.length);
    },
    close: (name) => {
      if (name === "v" || name === "t") reading = false;
      if (name === "rPh") phonetic = false;
      if (name === "c" && cell !== undefined) {
        if (cell.formula && cell.value === "") uncomputed += 1;
        if (row >= 0 && column < LAST_COLUMN && cell.value !== "") {
          width = Math.max(width, column + 1);
          const cells = rows[row] ?? [];
          rows[row] = cells;
          if (column < most.columns) cells[column] = cell;
        }
        cell = undefined;
      }
      return name === "sheetData";
    },
  });
  return { rows: Array.from(rows, (cells) => cells ?? []), more, width, dimension, uncomputed };
}

function rowOf(reference: string | undefined, otherwise: number): number {
  const number = Number(reference);
  return Number.isInteger(number) && number >= 1 ? number - 1 : otherwise;
}

/** `BC12` is in column 54, counted from 0. */
function columnOf(reference: string | undefined): number | undefined {
  const letters = /^[A-Z]{1,3}(?=\d)/i.exec(reference ?? "")?.[0];
  if (letters === undefined) return undefined;
  let number = 0;
  for (const letter of letters.toUpperCase()) number = number * 26 + letter.charCodeAt(0) - 64;
  return number - 1;
}

/** The other way: 54 is `BC`. */
export function lettersOf(column: number): string {
  const first = Math.floor(column / 26) - 1;
  return `${first < 0 ? "" : lettersOf(first)}${String.fromCharCode(65 + (column % 26))}`;
}
