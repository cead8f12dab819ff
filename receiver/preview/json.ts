/** JSON: a table where it is a list of objects, one a line or in an array, and else the text, indented. */
import { tableOf } from "./cells.ts";
import { membersOf, partsOf, piecesOf, plain } from "./json-scan.ts";
import type { Json, Preview, Table } from "./preview.ts";

interface Wish {
  readonly rows: number;
  readonly columns: number;
}

const MOST_CHARACTERS = 128 * 1024;
const MOST_LINES = 2_000;
/** Deeper than that nothing is moved to the right any more. */
const DEEPEST = 40;

/** Whether each of the first lines is an object of its own; a single line must be called so. */
export function looksLikeLines(text: string, named: boolean): boolean {
  const lines = text
    .slice(0, 256 * 1024)
    .split("\n", 4)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const objects = lines.filter((line) => line.startsWith("{") && line.endsWith("}"));
  return named
    ? lines.every((line) => line.startsWith("{")) && lines.length > 0
    : objects.length > 1 && objects.length >= lines.length - 1;
}

export function previewLines(text: string, cut: boolean, notes: readonly string[], wish: Wish): Table {
  const lines = text
    .split("\n", wish.rows + 2)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // The last one may be half a line, and half an object.
  const whole = cut && lines.length > 1 && lines.length <= wish.rows ? lines.slice(0, -1) : lines;
  return objectsOf("ndjson", whole, cut, notes, wish);
}

/** `cut`: there is more of the file than this. */
export function previewJson(text: string, cut: boolean, notes: readonly string[], wish: Wish): Preview {
  const start = text.trimStart();
  if (start.startsWith("[")) {
    const elements: string[] = [];
    for (const element of partsOf(start)) {
      elements.push(element);
      if (elements.length > wish.rows) break;
    }
    const whole =
      cut && elements.length > 1 && elements.length <= wish.rows ? elements.slice(0, -1) : elements;
    if (whole.length > 0 && whole.every((element) => element.startsWith("{")))
      return objectsOf("json", whole, cut, notes, wish);
  }
  return indented(start, cut, notes);
}

function objectsOf(
  format: "json" | "ndjson",
  objects: readonly string[],
  cut: boolean,
  notes: readonly string[],
  wish: Wish,
): Table {
  const places = new Map<string, number>();
  let others = 0;
  const rows = objects.slice(0, wish.rows).map((object) => {
    const row: string[] = [];
    if (!object.startsWith("{")) others += 1;
    for (const [key, value] of membersOf(object)) {
      if (!places.has(key)) {
        // A key in each row is a way to grow without end.
        if (places.size >= 10_000) continue;
        places.set(key, places.size);
      }
      const place = places.get(key) ?? 0;
      if (place >= wish.columns) continue;
      row[place] = value.length > 2_000 ? value.slice(0, 2_000) : plain(value);
    }
    return Array.from(row, (cell) => cell ?? "");
  });
  return tableOf(
    {
      format,
      columns: [...places.keys()].map((name) => ({ name })),
      rows,
      more: cut || objects.length > wish.rows,
      notes: [...notes, ...(others > 0 ? [`${others} lines are no objects and are shown empty.`] : [])],
    },
    wish,
  );
}

function indented(text: string, cut: boolean, notes: readonly string[]): Json {
  let out = "";
  let depth = 0;
  let lines = 1;
  let before: string | undefined;
  let full = false;
  for (const { kind, text: piece } of piecesOf(text)) {
    const closes = kind === "close";
    if (closes) depth = Math.max(0, depth - 1);
    const afterOpen = before === "open";
    if ((afterOpen && !closes) || before === "comma" || (closes && !afterOpen && before !== undefined)) {
      out += `\n${"  ".repeat(Math.min(depth, DEEPEST))}`;
      lines += 1;
    } else if (before === "colon" || before === "value" || before === "close")
      out += kind === "value" || kind === "open" ? " " : "";
    if (kind === "open") depth += 1;
    full = lines > MOST_LINES || out.length + piece.length > MOST_CHARACTERS;
    out += full ? piece.slice(0, Math.max(0, MOST_CHARACTERS - out.length)) : piece;
    before = kind;
    if (full) break;
  }
  return { kind: "json", text: full || cut ? `${out}…` : out, more: cut || full, notes };
}
