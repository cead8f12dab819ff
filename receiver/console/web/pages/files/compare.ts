/** What two previews show of the change between two versions; nothing that they do not show is said. */
import type { Preview, Table, Text } from "../../../../preview/preview.ts";

export type Rows =
  /** Both are shown whole, or as far as they are shown: `whole` says which. */
  | { readonly kind: "same"; readonly rows: number; readonly whole: boolean }
  /** So many at the begin are the same, of those that both show. */
  | { readonly kind: "begin"; readonly same: number; readonly of: number }
  /** Both are shown whole: rows that only one of them has. */
  | { readonly kind: "counts"; readonly came: number; readonly went: number }
  /** Values were cut, so equal ones may differ. */
  | { readonly kind: "cut" };

export type Columns =
  | { readonly kind: "same" }
  | { readonly kind: "order" }
  /** There may be more than are shown. */
  | { readonly kind: "wide" }
  | {
      readonly kind: "changed";
      readonly added: readonly string[];
      readonly removed: readonly string[];
      /** From, to: the one that went and the one that came stand at the same place. */
      readonly maybe: readonly (readonly [string, string])[];
    };

export interface Change {
  /** Undefined: text has none. */
  readonly columns: Columns | undefined;
  /** Column, type before, type after; where the format tells types. */
  readonly types: readonly (readonly [string, string, string])[];
  /** Undefined: with other columns, rows are others in any case. */
  readonly rows: Rows | undefined;
}

/** Of what a preview shows at most. */
const MOST_COLUMNS = 100;
const MOST_IN_CELL = 500;

/** Undefined: these two cannot be compared. */
export function compare(before: Preview, after: Preview): Change | undefined {
  if (before.kind === "table" && after.kind === "table") return compareTables(before, after);
  if (before.kind === "text" && after.kind === "text")
    return { columns: undefined, types: [], rows: compareRows(oneColumn(before), oneColumn(after)) };
  return undefined;
}

const oneColumn = ({ lines, more }: Text) => ({ rows: lines.map((line) => [line]), more });

function compareTables(before: Table, after: Table): Change {
  const columns = compareColumns(before, after);
  const types = after.columns.flatMap(({ name, type }): [string, string, string][] => {
    const was = before.columns.find((column) => column.name === name)?.type;
    return was === undefined || type === undefined || was === type ? [] : [[name, was, type]];
  });
  return { columns, types, rows: columns.kind === "same" ? compareRows(before, after) : undefined };
}

function compareColumns(before: Table, after: Table): Columns {
  if (before.columns.length >= MOST_COLUMNS || after.columns.length >= MOST_COLUMNS) return { kind: "wide" };
  const [was, is] = [before.columns.map(({ name }) => name), after.columns.map(({ name }) => name)];
  if (was.length === is.length && was.every((name, i) => name === is[i])) return { kind: "same" };
  const added = less(is, was);
  const removed = less(was, is);
  if (added.length === 0 && removed.length === 0) return { kind: "order" };
  // One for one at its place, all others where they were.
  const moved = was.length === is.length ? was.filter((name, i) => name !== is[i]) : [];
  const maybe =
    moved.length === removed.length && moved.length === added.length
      ? was.flatMap((name, i): [string, string][] => (name === is[i] ? [] : [[name, is[i] as string]]))
      : [];
  return { kind: "changed", added, removed, maybe };
}

interface Shown {
  readonly rows: readonly (readonly string[])[];
  readonly more: boolean;
}

function compareRows(before: Shown, after: Shown): Rows {
  if ([before, after].some(({ rows }) => rows.some((row) => row.some((cell) => cell.length > MOST_IN_CELL))))
    return { kind: "cut" };
  const [was, is] = [before.rows.map(keyOf), after.rows.map(keyOf)];
  const of = Math.min(was.length, is.length);
  let same = 0;
  while (same < of && was[same] === is[same]) same += 1;
  const whole = !before.more && !after.more;
  if (whole && same === was.length && same === is.length) return { kind: "same", rows: same, whole };
  if (whole) return { kind: "counts", came: less(is, was).length, went: less(was, is).length };
  return same === of ? { kind: "same", rows: same, whole: false } : { kind: "begin", same, of };
}

const keyOf = (row: readonly string[]): string => JSON.stringify(row);

/** Each as often as the first has it more often. */
function less(all: readonly string[], without: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const one of without) left.set(one, (left.get(one) ?? 0) + 1);
  return all.filter((one) => {
    const n = left.get(one) ?? 0;
    left.set(one, n - 1);
    return n <= 0;
  });
}
