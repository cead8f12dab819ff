/** Quotas and limits as people write them, and back. What somebody did not touch is not sent: its text is rounded. */
import { formatSize } from "./numbers.tsx";

/** Sizes in bytes. Null: the default. */
export interface Bounds {
  readonly stored?: number | null;
  readonly day?: number | null;
  readonly file?: number | null;
  readonly requests?: { readonly count: number; readonly perMs: number } | null;
  readonly uploads?: number | null;
}

export type BoundField = keyof Bounds;
type Texts = Partial<Readonly<Record<BoundField, string>>>;

const SIZES: readonly BoundField[] = ["stored", "day", "file"];
const MINUTE = 60_000;

/** Whether a field is of bytes rather than of a count. */
export const isSize = (field: BoundField): boolean => SIZES.includes(field);

/** Empty: the default. */
export function textsOf(bounds: Bounds, fields: readonly BoundField[]): Texts {
  return Object.fromEntries(fields.map((field) => [field, textOf(field, bounds[field] ?? null)]));
}

function textOf(field: BoundField, value: Bounds[BoundField] | null): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return String(Number(((value.count * MINUTE) / value.perMs).toFixed(3)));
  return isSize(field) ? formatSize(value) : String(value);
}

/** Those that were changed and cannot be read. */
export function wrongOf(shown: Texts, texts: Texts): readonly BoundField[] {
  return changed(shown, texts).filter((field) => parseBound(field, texts[field] ?? "") === undefined);
}

/** What is to be set: only what was changed, so that nothing is rounded which nobody meant. */
export function changedBounds(shown: Texts, texts: Texts): Bounds {
  return Object.fromEntries(
    changed(shown, texts).map((field) => [field, parseBound(field, texts[field] ?? "")]),
  );
}

function changed(shown: Texts, texts: Texts): readonly BoundField[] {
  const fields = Object.keys(texts) as BoundField[];
  return fields.filter((field) => texts[field] !== shown[field]);
}

const POWERS: Readonly<Record<string, number>> = { b: 0, kb: 1, mb: 2, gb: 3, tb: 4, pb: 5 };

/** Null: the default; undefined: it cannot be read. */
function parseBound(field: BoundField, text: string): Bounds[BoundField] | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (!isSize(field)) {
    if (!/^[1-9]\d{0,8}$/.test(trimmed)) return undefined;
    return field === "requests" ? { count: Number(trimmed), perMs: MINUTE } : Number(trimmed);
  }
  const [, number, unit = "b"] = /^(\d+(?:[.,]\d+)?)\s*([a-z]*)$/i.exec(trimmed) ?? [];
  const power = POWERS[unit.toLowerCase() || "b"];
  const value = Number(number?.replace(",", "."));
  if (power === undefined || !Number.isFinite(value)) return undefined;
  return Math.round(value * 1000 ** power);
}
