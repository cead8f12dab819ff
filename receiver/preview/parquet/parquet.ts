/** Parquet: the footer, and of each column as much as its first rows take. */
import {
  type ColumnData,
  type FileMetaData,
  parquetMetadata,
  parquetRead,
  parquetSchema,
  type SchemaElement,
  type SchemaTree,
} from "hyparquet";
import { cut, tableOf } from "../cells.ts";
import type { Preview } from "../preview.ts";
import { type Source, TooMuch } from "../source.ts";
import { columnBytes } from "./column-bytes.ts";
import { boundedCompressors } from "./unpack.ts";
import { asItLies, isDecimal, PARSERS, textOf } from "./values.ts";

const MOST_FOOTER = 16 * 2 ** 20;
/** One after the other, until the first rows are in it. */
const LENGTHS = [256 * 1024, 2 * 2 ** 20, 8 * 2 ** 20, 32 * 2 ** 20];

export async function previewParquet(
  source: Source,
  wish: { readonly rows: number; readonly columns: number },
): Promise<Preview> {
  const metadata = await readFooter(source);
  const schema = parquetSchema(metadata);
  const total = Number(metadata.num_rows);
  const shown = schema.children.slice(0, wish.columns);
  const rowEnd = Math.min(wish.rows, held(metadata));
  const bare: FileMetaData = { ...metadata, schema: schemaAsItLies(schema, metadata) };
  const compressors = boundedCompressors();
  const columns: (readonly string[] | undefined)[] = [];
  const wrong: string[] = [];
  let full = false;
  for (const child of shown) {
    if (full) {
      columns.push(undefined);
      continue;
    }
    try {
      const values = await readColumn(source, bare, child, rowEnd, compressors);
      columns.push(values.map((value) => cut(textOf(value, child.element))));
    } catch (error) {
      full = error instanceof TooMuch;
      columns.push(undefined);
      wrong.push(`${cut(child.element.name, 100)}: ${cut((error as Error).message, 200)}`);
    }
  }
  const width = schema.children.length;
  const found = columns.reduce((most, values) => Math.max(most, values?.length ?? 0), 0);
  if (rowEnd > 0 && found === 0)
    return { kind: "none", why: `No column of it can be read: ${wrong[0] ?? "it has none"}` };
  return tableOf(
    {
      format: "parquet",
      columns: schema.children.map(({ element, children }) => ({
        name: element.name,
        type: typeOf(element, children),
      })),
      rows: Array.from({ length: found }, (_, row) => columns.map((values) => values?.[row] ?? "")),
      width,
      more: total > found,
      notes: [
        `It says that it has ${total} rows, in row groups: ${metadata.row_groups.length}.`,
        ...(metadata.created_by === undefined ? [] : [`Written by ${cut(metadata.created_by, 100)}.`]),
        ...wrong.slice(0, 20).map((one) => `Not shown: ${one}`),
        ...(full ? ["The columns behind it are left empty."] : []),
        ...(shown.some((child) => child.children.length > 0 && hasDecimal(child))
          ? ["Decimals inside of lists and structures are shown with about 15 digits."]
          : []),
      ],
    },
    wish,
  );
}

async function readFooter(source: Source): Promise<FileMetaData> {
  const end = await source.read(source.size - 8, source.size);
  if (end.length < 8 || end.toString("latin1", 4) !== "PAR1")
    throw new Error("the file is not whole: a Parquet file ends with PAR1");
  const length = end.readUInt32LE(0);
  if (length > source.size - 12) throw new Error("its footer says that it is longer than the file");
  if (length > MOST_FOOTER) throw new TooMuch("Its footer is too large for a preview.");
  const footer = await source.read(source.size - 8 - length, source.size);
  return parquetMetadata(new Uint8Array(footer), { geoparquet: false });
}

/** Rows that its row groups say they have; the footer's own number may say more. */
const held = ({ row_groups, num_rows }: FileMetaData): number =>
  Math.min(
    Number(num_rows),
    row_groups.reduce((sum, { num_rows: rows }) => sum + Math.max(0, Number(rows)), 0),
  );

/** Decimals that stand alone are left to `textOf`. */
function schemaAsItLies(schema: SchemaTree, metadata: FileMetaData): SchemaElement[] {
  const alone = new Set(
    schema.children.filter(({ children }) => children.length === 0).map(({ element }) => element),
  );
  return metadata.schema.map((element) => (alone.has(element) ? asItLies(element) : element));
}

async function readColumn(
  source: Source,
  metadata: FileMetaData,
  child: SchemaTree,
  rowEnd: number,
  compressors: ReturnType<typeof boundedCompressors>,
): Promise<readonly unknown[]> {
  const { name } = child.element;
  const bytes = columnBytes(source);
  // Bytes that are not called text stay bytes: `textOf` looks at them.
  const ways = { metadata, columns: [name], rowStart: 0, rowEnd, compressors, parsers: PARSERS, utf8: false };
  for (const most of LENGTHS) {
    try {
      const values: unknown[] = [];
      // What is there, where a footer may promise more.
      const onChunk = ({ columnData, rowStart }: ColumnData): void => {
        for (let at = 0; at < columnData.length && rowStart + at < rowEnd; at += 1)
          values[rowStart + at] = columnData[at];
      };
      await parquetRead({ ...ways, file: bytes.upTo(most), onChunk });
      if (values.length >= rowEnd || !bytes.short()) return values;
    } catch (error) {
      if (error instanceof TooMuch || !bytes.short()) throw error;
    }
  }
  throw new Error("its first rows take more than 32 MiB");
}

const hasDecimal = ({ element, children }: SchemaTree): boolean =>
  isDecimal(element) || children.some(hasDecimal);

/** As `DECIMAL(10,2)`, `TIMESTAMP(MICROS)`, `INT64`, `LIST`. */
function typeOf(element: SchemaElement, children: readonly SchemaTree[]): string {
  const { type, converted_type: converted, logical_type: logical, precision, scale } = element;
  if (isDecimal(element)) return `DECIMAL(${precision ?? "?"},${scale ?? 0})`;
  if (logical !== undefined && "unit" in logical) return `${logical.type}(${logical.unit})`;
  const word = logical?.type === "INTEGER" ? converted : (logical?.type ?? converted);
  return word ?? type ?? (children.length > 0 ? "STRUCT" : "?");
}
