import { readFileSync } from "node:fs";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { previewOf } from "../read.ts";
import { parquetThatClaims, sourceOfBytes } from "../samples.ts";
import type { Source } from "../source.ts";

const of = (source: Source, rows = 10, columns = 20) =>
  previewOf(source, { name: "x", size: source.size, rows, columns });

describe("what Arrow wrote", () => {
  test.for(["snappy", "gzip", "zstd", "brotli", "lz4", "none"])("%s, to the last digit", async (codec) => {
    const found = await of(
      sourceOfBytes(readFileSync(new URL(`../fixtures/${codec}.parquet`, import.meta.url))),
    );
    if (found.kind !== "table") throw new Error(JSON.stringify(found));
    expect(found.columns.map(({ type }) => type).slice(0, 7)).toEqual([
      "INT64",
      "DECIMAL(25,2)",
      "DECIMAL(5,1)",
      "TIMESTAMP(NANOS)",
      "DATE",
      "TIME(MICROS)",
      "FLOAT",
    ]);
    expect(found.rows).toEqual([
      [
        "1",
        "0.10",
        "1.5",
        "2023-11-14 22:13:20.123456789",
        "2024-03-01",
        "01:02:03.000004",
        "0.1",
        "0.1",
        "Grüße",
        "0x00ff",
        "true",
        "[1,2]",
        '{"a":1,"b":"x"}',
      ],
      [
        "4611686018427387904",
        "-12345678901234567890.12",
        "-0.1",
        "1969-12-31 23:59:59.999999999",
        "1969-12-31",
        "23:59:59",
        "10000000000",
        "1e+300",
        "a,b\nc",
        "text",
        "false",
        "[]",
        "",
      ],
      ["", "", "", "", "", "", "", "", "", "", "", "", '{"a":null,"b":"y"}'],
    ]);
    expect(found).toMatchObject({ format: "parquet", more: false });
  });
});

/** Counts what is read. */
function counted(bytes: Buffer): Source & { readonly count: () => number } {
  const source = sourceOfBytes(bytes);
  let count = 0;
  return {
    ...source,
    count: () => count,
    read: async (start, end) => {
      const read = await source.read(start, end);
      count += read.length;
      return read;
    },
  };
}

describe("large files", () => {
  const length = 600_000;
  const columnData = ["a", "b", "c"].map((name, column) => ({
    name,
    data: Array.from({ length }, (_, at) => `${(at * 7_919 + column) % 1_000_003} and some more text`),
  }));
  const bytes = Buffer.from(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: length }));

  test("of a column only its beginning is read", async () => {
    const source = counted(bytes);
    expect(bytes.length).toBeGreaterThan(30 * 2 ** 20);
    expect(await of(source, 2)).toMatchObject({
      rows: [
        ["0 and some more text", "1 and some more text", "2 and some more text"],
        ["7919 and some more text", "7920 and some more text", "7921 and some more text"],
      ],
      more: true,
    });
    expect(source.count()).toBeLessThan(8 * 2 ** 20);
  });

  test("columns beyond the wish are not read", async () => {
    const source = counted(bytes);
    expect(await of(source, 2, 1)).toMatchObject({
      columns: [{ name: "a" }],
      notes: expect.arrayContaining(["1 of 3 columns are shown."]),
    });
    expect(source.count()).toBeLessThan(3 * 2 ** 20);
  });
});

describe("what does not hold", () => {
  test("rows that nobody wrote are not shown", async () => {
    const found = await of(sourceOfBytes(parquetThatClaims(2, 2 ** 31)));
    expect(found).toMatchObject({ rows: [["0"], ["0"]], more: true });
  });

  test.for<[string, Buffer, string]>([
    ["a page that says it is 2 GB", parquetThatClaims(5, 5, 2 ** 31 - 1), "does not match"],
    [
      "a footer longer than the file",
      Buffer.from("PAR1xxxx\xff\xff\xff\x7fPAR1", "latin1"),
      "longer than the file",
    ],
    ["a footer of nothing", Buffer.from("PAR1xxxx\0\0\0\0PAR1", "latin1"), "cannot be read"],
  ])("%s", async ([, bytes, why]) => {
    expect(await of(sourceOfBytes(bytes))).toMatchObject({ kind: "none", why: expect.stringContaining(why) });
  });
});
