/** Bounds as text that can be read back: what nobody touched is never sent, and so never rounded. */
import { parseFrequency, parseSize } from "@tributary/shared/units.ts";

export interface Bounds {
  readonly stored?: number | null;
  readonly day?: number | null;
  readonly file?: number | null;
  readonly requests?: { readonly count: number; readonly perMs: number } | null;
  readonly uploads?: number | null;
}

export type Field = keyof Bounds;
export type BoundTexts = Partial<Record<Field, string>>;

export const isSize = (field: Field): boolean => field === "stored" || field === "day" || field === "file";

const UNITS: readonly (readonly [string, number])[] = [
  ["TB", 1e12],
  ["TiB", 2 ** 40],
  ["GB", 1e9],
  ["GiB", 2 ** 30],
  ["MB", 1e6],
  ["MiB", 2 ** 20],
  ["kB", 1e3],
  ["KiB", 2 ** 10],
  ["B", 1],
];

/** To the byte, in whichever unit is shortest; never with three decimals, which some read as thousands. */
function exactSize(bytes: number): string {
  const texts = UNITS.filter(([, unit]) => bytes >= unit || unit === 1).map(
    ([name, unit]) => `${Number((bytes / unit).toFixed(2))} ${name}`,
  );
  return texts
    .filter((text) => parseSize(text) === bytes)
    .reduce((best, text) => (text.length < best.length ? text : best));
}

/** "": the default holds. */
export function boundText(field: Field, value: Bounds[Field]): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return isSize(field) ? exactSize(value) : String(value);
  if (value.perMs === 60_000) return String(value.count);
  return value.perMs === 1000 ? `${value.count}/s` : `${value.count}/${value.perMs} ms`;
}

/** Null: the default; undefined: it cannot be read, or two people would read two numbers in it. */
export function readBound(field: Field, text: string): Bounds[Field] | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (field === "requests") return parseFrequency(trimmed.replaceAll(" ", ""));
  if (!isSize(field)) return /^[1-9]\d{0,8}$/.test(trimmed) ? Number(trimmed) : undefined;
  // 1.000 is one here and a thousand there.
  if (/^\d+\.\d{3}\D*$/.test(trimmed)) return undefined;
  const bytes = parseSize(trimmed);
  return bytes !== undefined && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Those of the fields whose text is another than that of the bound in force. */
export function touched(bounds: Bounds, texts: BoundTexts): readonly Field[] {
  return (Object.keys(texts) as Field[]).filter(
    (field) => texts[field]?.trim() !== boundText(field, bounds[field]),
  );
}
