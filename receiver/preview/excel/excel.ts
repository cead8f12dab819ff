/** Workbooks of Excel (.xlsx, .xlsm): the first rows of the first sheet that is not hidden. Macros are not even read. */
import { tableOf } from "../cells.ts";
import type { Preview } from "../preview.ts";
import { type Source, TooMuch } from "../source.ts";
import { dateOf, durationOf } from "./dates.ts";
import { type Cell, lettersOf, readSheet, type Sheet } from "./sheet.ts";
import { readStrings } from "./strings.ts";
import { readWorkbook, textOf, type Workbook } from "./workbook.ts";
import { openZip } from "./zip.ts";

export async function previewExcel(
  source: Source,
  wish: { readonly rows: number; readonly columns: number },
): Promise<Preview> {
  const zip = await openZip(source);
  if (!zip.parts.has("[content_types].xml")) return { kind: "none", why: "It is an archive (.zip)." };
  if (zip.parts.has("xl/workbook.bin"))
    return { kind: "none", why: "It is a binary workbook (.xlsb). Only .xlsx is shown." };
  const workbook = await readWorkbook(zip);
  const chosen = workbook.sheets.find(({ hidden }) => !hidden) ?? workbook.sheets[0];
  if (chosen === undefined) return { kind: "none", why: "It is a document of Office without a sheet." };
  // One more than is shown, for the names of the columns.
  const sheet = await readSheet(textOf(zip, chosen.part), { rows: wish.rows + 1, columns: wish.columns });
  const { strings, missing } = await stringsOf(
    sheet,
    workbook.strings === undefined ? undefined : textOf(zip, workbook.strings),
  );
  const rows = sheet.rows.map((cells) =>
    Array.from(cells, (cell) => (cell === undefined ? "" : shown(cell, workbook, strings))),
  );
  const names = workbook.sheets.map(({ name }) => name);
  return tableOf(
    {
      format: "xlsx",
      nameOf: lettersOf,
      rows,
      width: sheet.width,
      more: sheet.more,
      notes: [
        names.length === 1
          ? `Sheet: ${chosen.name}.`
          : `Sheet: ${chosen.name}, of ${names.length}: ${names.slice(0, 50).join(", ")}.`,
        ...(sheet.dimension?.includes(":") ? [`The sheet says that it covers ${sheet.dimension}.`] : []),
        ...(sheet.uncomputed > 0
          ? [`Formulas that were saved without a value are empty here: ${sheet.uncomputed}.`]
          : []),
        ...(missing ? ["Some texts lie too deep in the file to be looked up; they are shown as …"] : []),
      ],
    },
    wish,
  );
}

async function stringsOf(
  sheet: Sheet,
  pieces: AsyncIterable<string> | undefined,
): Promise<{ readonly strings: ReadonlyMap<number, string>; readonly missing: boolean }> {
  const shared = sheet.rows.flat().filter((cell) => cell?.type === "s");
  const wanted = new Set(shared.map(({ value }) => Number(value)));
  const strings = new Map<number, string>();
  try {
    if (pieces !== undefined) await readStrings(pieces, wanted, strings);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
  }
  return { strings, missing: strings.size < wanted.size };
}

function shown(cell: Cell, { moments, since1904 }: Workbook, strings: ReadonlyMap<number, string>): string {
  switch (cell.type) {
    case "s":
      return unescaped(strings.get(Number(cell.value)) ?? "…");
    case "b":
      return cell.value === "1" ? "TRUE" : "FALSE";
    case "n": {
      const moment = moments[cell.style];
      if (moment === "date") return dateOf(cell.value, since1904);
      return moment === "duration" ? durationOf(cell.value) : cell.value;
    }
    default:
      return unescaped(cell.value);
  }
}

/** What XML cannot carry is written `_x000D_`: ECMA-376 part 1, 22.9.2.19. */
const unescaped = (text: string): string =>
  text.replace(/_x([0-9A-F]{4})_/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
