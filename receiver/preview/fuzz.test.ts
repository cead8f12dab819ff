import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { previewsInProcess } from "./process.ts";
import { previewOf } from "./read.ts";
import { fileOfBytes, sourceOfBytes, workbookOf } from "./samples.ts";

const KINDS = ["table", "text", "json", "none"];
const EXTENSIONS = [
  ".csv",
  ".tsv",
  ".json",
  ".ndjson",
  ".txt",
  ".xlsx",
  ".xls",
  ".csv.gz",
  ".parquet",
  ".bin",
  "",
];
const BEGINNINGS = [
  "",
  "",
  "[{",
  '{"a":',
  "a,b\n",
  "PK\x03\x04",
  "\x1f\x8b\x08\0",
  "\xff\xfe",
  "\xef\xbb\xbf",
  "PAR1",
];

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

/** A file with some of its bytes replaced. */
const spoiled = (whole: Buffer) =>
  fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 12 }).map((changes) => {
    const bytes = Buffer.from(whole);
    for (const [at, byte] of changes) bytes[at] = byte;
    return bytes;
  });

const bytes = fc
  .tuple(fc.constantFrom(...BEGINNINGS), fc.uint8Array({ maxLength: 3_000 }), fc.string({ maxLength: 500 }))
  .map(([beginning, noise, text]) =>
    Buffer.concat([Buffer.from(beginning, "latin1"), Buffer.from(text), noise]),
  );
const textual = fc
  .array(
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      ";",
      '"',
      "\\",
      "\n",
      "\r",
      "\t",
      " ",
      "a",
      "1",
      "\0",
      "ü",
      "sep=",
      "null",
    ),
    {
      maxLength: 400,
    },
  )
  .map((pieces) => Buffer.from(pieces.join("")));
const sheet = `<dimension ref="A1:B2"/><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><f>1+1</f><v>2</v></c></row></sheetData>`;
const any = fc.oneof(
  bytes,
  textual,
  spoiled(fixture("openpyxl.xlsx")),
  spoiled(workbookOf(sheet, "<si><t>x</t></si>")),
);

test("whatever the bytes and the name, there is an answer, and it is small", async () => {
  await fc.assert(
    fc.asyncProperty(
      any,
      fc.constantFrom(...EXTENSIONS),
      fc.integer({ min: 1, max: 30 }),
      async (content, extension, rows) => {
        const order = { name: `x${extension}`, size: content.length, rows, columns: 7 };
        const found = await previewOf(sourceOfBytes(content), order);
        expect(KINDS).toContain(found.kind);
        if (found.kind !== "table") return;
        expect(found.columns.length).toBeLessThanOrEqual(7);
        expect(found.rows.length).toBeLessThanOrEqual(rows);
        for (const row of found.rows) {
          expect(row).toHaveLength(found.columns.length);
          for (const value of row) expect(value.length).toBeLessThanOrEqual(501);
        }
      },
    ),
    { numRuns: 1_500 },
  );
});

// In a process, because a spoiled length can be any length.
test("so it is for spoiled Parquet", { timeout: 120_000 }, async () => {
  const previews = previewsInProcess({ waiting: 100 });
  const files = fc.sample(fc.oneof(spoiled(fixture("snappy.parquet")), spoiled(fixture("gzip.parquet"))), 12);
  const found = await Promise.all(
    files.map((file) => previews.preview(fileOfBytes("x.parquet", file), { rows: 3, columns: 20 })),
  );
  for (const { kind } of found) expect(["table", "none"]).toContain(kind);
});
