/** What a file is, by what it begins with and then by its name, and its preview. Whatever it is, there is an answer. */
import { constants, createGunzip } from "node:zlib";
import { cut } from "./cells.ts";
import { looksLikeTable, previewCsv } from "./csv.ts";
import { decode } from "./encoding.ts";
import { previewExcel } from "./excel/excel.ts";
import { looksLikeLines, previewJson, previewLines } from "./json.ts";
import type { Order } from "./messages.ts";
import { previewParquet } from "./parquet/parquet.ts";
import type { None, Preview } from "./preview.ts";
import { type Source, TooMuch } from "./source.ts";

/** Of text no more is read, and of what is compressed no more is inflated. */
const MOST_TEXT = 2 ** 20;

/** Never rejects. */
export async function previewOf(source: Source, order: Order): Promise<Preview> {
  try {
    return await read(source, order);
  } catch (error) {
    if (error instanceof TooMuch) return { kind: "none", why: error.message };
    const said = error instanceof Error ? error.message : String(error);
    return { kind: "none", why: cut(`It cannot be read: ${said}`, 300) };
  }
}

async function read(source: Source, order: Order): Promise<Preview> {
  if (source.size === 0) return { kind: "none", why: "The file is empty." };
  const head = await source.read(0, 512);
  const known = await knownByItsBeginning(source, order, head);
  if (known !== undefined) return known;
  const rest = await source.read(head.length, MOST_TEXT);
  return textual(Buffer.concat([head, rest]), source.size <= MOST_TEXT, order.name, [], order);
}

const starts = (head: Buffer, text: string): boolean =>
  head.subarray(0, text.length).equals(Buffer.from(text, "latin1"));

async function knownByItsBeginning(source: Source, order: Order, head: Buffer): Promise<Preview | undefined> {
  if (starts(head, "PAR1")) return previewParquet(source, order);
  if (starts(head, "PARE")) return none("It is a Parquet file with encrypted columns.");
  if (starts(head, "PK\x03\x04") || starts(head, "PK\x05\x06")) return previewExcel(source, order);
  if (starts(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
    return none(
      "It is in Microsoft's older format for documents (.xls, .doc), or has a password. Only .xlsx is shown.",
    );
  if (starts(head, "\x1f\x8b")) return gzipped(source, order, head);
  const name = NAMED.find(([sign]) => starts(head, sign));
  return name === undefined ? undefined : none(`It is ${name[1]}.`, head);
}

/** What is not shown, by its first bytes, where a name says more than bytes do. */
const NAMED: readonly (readonly [string, string])[] = [
  ["%PDF-", "a PDF document"],
  ["\x89PNG", "a picture (PNG)"],
  ["\xff\xd8\xff", "a picture (JPEG)"],
  ["GIF8", "a picture (GIF)"],
  ["Rar!", "an archive (RAR)"],
  ["7z\xbc\xaf\x27\x1c", "an archive (7-Zip)"],
  ["\x28\xb5\x2f\xfd", "compressed by Zstandard"],
  ["BZh", "compressed by bzip2"],
  ["\xfd7zXZ", "compressed by xz"],
  ["ORC", "an ORC file"],
  ["Obj\x01", "an Avro file"],
  ["SQLite format 3", "an SQLite database"],
  ["MZ", "a program of Windows"],
  ["\x7fELF", "a program of Linux"],
];

const none = (why: string, head?: Buffer): None => ({
  kind: "none",
  why,
  ...(head === undefined ? {} : { hex: hexOf(head) }),
});

function hexOf(head: Buffer): readonly string[] {
  const bytes = head.subarray(0, 256);
  return Array.from({ length: Math.ceil(bytes.length / 16) }, (_, line) => {
    const part = bytes.subarray(line * 16, line * 16 + 16);
    const pairs = part.toString("hex").replace(/../g, "$& ").padEnd(48);
    return `${(line * 16).toString(16).padStart(4, "0")}  ${pairs} ${part.toString("latin1").replace(/[^ -~]/g, ".")}`;
  });
}

async function gzipped(source: Source, order: Order, head: Buffer): Promise<Preview> {
  const packed = Buffer.concat([head, await source.read(head.length, MOST_TEXT)]);
  const { bytes, whole } = await gunzip(packed, packed.length === source.size);
  const name = order.name.replace(/\.gz$/i, "");
  if (bytes.length === 0) return none("It is compressed by gzip, and nothing is in it.", head);
  return textual(bytes, whole, name, ["Compressed by gzip."], order);
}

/** The first MiB of what is in it; what is damaged further on does not matter. */
async function gunzip(
  packed: Buffer,
  all: boolean,
): Promise<{ readonly bytes: Buffer; readonly whole: boolean }> {
  const stream = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  const pieces: Buffer[] = [];
  let length = 0;
  stream.end(packed);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (length > MOST_TEXT) break;
    }
  } catch (error) {
    if (length === 0) throw error;
  }
  return { bytes: Buffer.concat(pieces).subarray(0, MOST_TEXT), whole: all && length <= MOST_TEXT };
}

function textual(
  bytes: Buffer,
  whole: boolean,
  name: string,
  notes: readonly string[],
  wish: Order,
): Preview {
  const decoded = decode(bytes, whole);
  if (decoded === undefined) return none("It is binary, in a format that is not shown.", bytes);
  const { text, encoding } = decoded;
  const said = [...notes, ...decoded.notes];
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  const cutOff = !whole;
  const lines = ["ndjson", "jsonl"].includes(extension);
  if (/^\s*\{/.test(text.slice(0, 1_000)) && looksLikeLines(text, lines))
    return previewLines(text, cutOff, said, wish);
  if (
    /^\s*[{[]/.test(text.slice(0, 1_000)) &&
    (extension === "json" || /^\s*(\[\s*[[{"\d\]-]|\{\s*["}])/.test(text.slice(0, 1_000)))
  )
    return previewJson(text, cutOff, said, wish);
  if (["csv", "tsv", "tab", "psv"].includes(extension)) return previewCsv(text, cutOff, said, wish);
  if (!["log", "md", "xml", "html", "sql"].includes(extension) && looksLikeTable(text))
    return previewCsv(text, cutOff, said, wish);
  const found = text.split(/\r\n|\n|\r/, wish.rows + 1);
  const ended = found.length <= wish.rows && found.at(-1) === "" ? found.slice(0, -1) : found;
  return {
    kind: "text",
    encoding,
    lines: ended.slice(0, wish.rows).map((line) => cut(line)),
    more: cutOff || ended.length > wish.rows,
    notes: said,
  };
}
