/** Files for the tests of previews: of readers alone, and such as no program would write. */
import { Readable } from "node:stream";
import { crc32, deflateRawSync } from "node:zlib";
import type { PreviewFile } from "./preview.ts";
import { type Source, sourceOf } from "./source.ts";

export const sourceOfBytes = (bytes: Buffer): Source =>
  sourceOf(bytes.length, async (start, end) => bytes.subarray(start, end));

export const fileOfBytes = (name: string, bytes: Buffer): PreviewFile => ({
  name,
  size: bytes.length,
  read: async (range) => Readable.from([bytes.subarray(range?.start ?? 0, (range?.end ?? bytes.length) + 1)]),
});

/** What is in a .zip, and what it says of its unpacked size where that is a lie. */
export interface Packed {
  readonly name: string;
  readonly content: string | Buffer;
  readonly said?: number;
}

export function zipOf(parts: readonly Packed[]): Buffer {
  const bodies: Buffer[] = [];
  const list: Buffer[] = [];
  let at = 0;
  for (const { name, content, said } of parts) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(said ?? bytes.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(name), packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    list.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), fields, place, Buffer.from(name));
    bodies.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(list);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(parts.length, 4);
  end.writeUInt16LE(parts.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...bodies, directory, Buffer.from("PK\x05\x06"), end]);
}

const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships";

const relations = (all: readonly (readonly [string, string])[]): string =>
  `<Relationships xmlns="${PACKAGE}">${all
    .map(([type, target], at) => `<Relationship Id="r${at}" Type="${OFFICE}/${type}" Target="${target}"/>`)
    .join("")}</Relationships>`;

/** A workbook of one sheet, of the inside of its `<worksheet>` and of its `<sst>`. */
export function workbookOf(sheet: string, strings = "", beforeStrings = ""): Buffer {
  return zipOf([
    { name: "[Content_Types].xml", content: "<Types/>" },
    { name: "_rels/.rels", content: relations([["officeDocument", "xl/workbook.xml"]]) },
    {
      name: "xl/workbook.xml",
      content: `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r0"/></sheets></workbook>`,
    },
    {
      name: "xl/_rels/workbook.xml.rels",
      content: relations([
        ["worksheet", "worksheets/sheet1.xml"],
        ["sharedStrings", "/xl/sharedStrings.xml"],
      ]),
    },
    { name: "xl/worksheets/sheet1.xml", content: `<worksheet xmlns="${MAIN}">${sheet}</worksheet>` },
    { name: "xl/sharedStrings.xml", content: `${beforeStrings}<sst xmlns="${MAIN}">${strings}</sst>` },
  ]);
}

/** Integers of Thrift's compact protocol, zigzag. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value) * 2n; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/**
 * A Parquet file of one column of integers, whose page says that it has so many values and becomes so large, all the
 * same one, in a few bytes. Written by hand: https://github.com/apache/parquet-format, parquet.thrift.
 */
export function parquetThatClaims(values: number, rows: number, unpacked?: number): Buffer {
  const i32 = (value: number) => varint(value);
  // One bit for each value, and a run of all of them.
  const data = [1, ...i32(values), 0];
  const pageHeader = [
    ...[0x15, ...i32(0), 0x15, ...i32(unpacked ?? data.length), 0x15, ...i32(data.length)],
    // DataPageHeader: num_values, RLE_DICTIONARY, RLE, RLE.
    ...[0x2c, 0x15, ...i32(values), 0x15, ...i32(8), 0x15, ...i32(3), 0x15, ...i32(3), 0, 0],
  ];
  const size = pageHeader.length + data.length;
  const text = (word: string) => [word.length, ...Buffer.from(word)];
  const schema = [
    ...[0x19, 0x2c, 0x48, ...text("root"), 0x15, ...i32(1), 0],
    ...[0x15, ...i32(1), 0x25, ...i32(0), 0x18, ...text("x"), 0],
  ];
  const column = [
    ...[0x15, ...i32(1), 0x19, 0x15, ...i32(8), 0x19, 0x18, ...text("x"), 0x15, ...i32(0)],
    ...[0x16, ...i32(values), 0x16, ...i32(size), 0x16, ...i32(size), 0x26, ...i32(4), 0],
  ];
  const group = [0x19, 0x1c, 0x26, ...i32(4), 0x1c, ...column, 0, 0x16, ...i32(size), 0x16, ...i32(rows), 0];
  const footer = [0x15, ...i32(1), ...schema, 0x16, ...i32(rows), 0x19, 0x1c, ...group, 0];
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([
    Buffer.from("PAR1"),
    Buffer.from([...pageHeader, ...data, ...footer]),
    length,
    Buffer.from("PAR1"),
  ]);
}
