import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Preview } from "./preview.ts";
import { previewOf } from "./read.ts";
import { sourceOfBytes } from "./samples.ts";

const MIB = 2 ** 20;

function of(name: string, content: string | Buffer, rows = 10, columns = 10): Promise<Preview> {
  const bytes = Buffer.from(content);
  return previewOf(sourceOfBytes(bytes), { name, size: bytes.length, rows, columns });
}

async function table(name: string, content: string | Buffer, rows = 10, columns = 10) {
  const found = await of(name, content, rows, columns);
  if (found.kind !== "table") throw new Error(JSON.stringify(found));
  return { ...found, names: found.columns.map((column) => column.name) };
}

describe("csv", () => {
  test.for<[string, string, string[], string[]]>([
    ["comma", "a,b\n1,2\n", ["a", "b"], ["1", "2"]],
    ["semicolon, commas in numbers", "x;y\n1,50;2,25\n1,5;2,5\n", ["x", "y"], ["1,50", "2,25"]],
    ["tab", "x\ty\n1.50\t007\n", ["x", "y"], ["1.50", "007"]],
    ["bar", "x|y\n1|2\n", ["x", "y"], ["1", "2"]],
    ["said", "sep=:\na:b\n1:2\n", ["a", "b"], ["1", "2"]],
    ["quoted", 'a,b\n"x, ""y""\nz",2\n', ["a", "b"], ['x, "y"\nz', "2"]],
    ["no header", "1,2024-01-01\n2,2024-01-02\n", ["column 1", "column 2"], ["1", "2024-01-01"]],
    ["the same name twice", "a,a\nb,c\n", ["column 1", "column 2"], ["a", "a"]],
    ["one column", "name\nx\ny\n", ["name"], ["x"]],
    ["CRLF and blank lines", "a,b\r\n\r\n1,2\r\n", ["a", "b"], ["1", "2"]],
    ["ragged", "a,b\n1\n2,3,4\n", ["a", "b", "column 3"], ["1", "", ""]],
    ["formulas stay text", "a,b\n=1+1,@SUM(A1)\n", ["a", "b"], ["=1+1", "@SUM(A1)"]],
  ])("%s", async ([, text, names, first]) => {
    expect(await table("x.csv", text)).toMatchObject({
      format: "csv",
      names,
      rows: expect.arrayContaining([first]),
    });
  });

  test("as many rows as were asked for, and that there are more", async () => {
    const text = `n,m\n${Array.from({ length: 50 }, (_, at) => `${at},x`).join("\n")}\n`;
    expect(await table("x.csv", text, 50)).toMatchObject({ more: false, rows: { length: 50 } });
    expect(await table("x.csv", text, 49)).toMatchObject({ more: true, rows: { length: 49 } });
  });

  test("the last row of what was read may be half of one: it is left out", async () => {
    const row = `${"x".repeat(400_000)},y\n`;
    expect(await table("x.csv", `a,b\n${row.repeat(4)}`)).toMatchObject({ more: true, rows: { length: 2 } });
  });

  test("a long value is cut, with a sign, and not in the middle of a character", async () => {
    const { rows } = await table("x.csv", `a,b\n${"x".repeat(500)},${"x".repeat(499)}😀y\n`);
    expect(rows).toEqual([["x".repeat(500), `${"x".repeat(499)}…`]]);
  });

  test("gzip is looked into, also when it was cut", async () => {
    const text = `a,b\n${Array.from({ length: 200_000 }, (_, at) => `${at},${(at * 7_919) % 1_000}`).join("\n")}`;
    const packed = gzipSync(text);
    expect(await table("x.csv.gz", packed)).toMatchObject({ names: ["a", "b"], more: true });
    const half = await table("x.csv.gz", packed.subarray(0, packed.length / 2));
    expect(half).toMatchObject({ names: ["a", "b"], notes: expect.arrayContaining(["Compressed by gzip."]) });
  });

  test("a quote that is never closed is said", async () => {
    expect((await table("x.csv", 'a,b\n1,"2\n3,4\n')).notes.join()).toContain("never closed");
  });
});

describe("encodings", () => {
  const text = "Straße,Größe\nZürich,1\n";
  test.for<[string, Buffer, string]>([
    ["UTF-8", Buffer.from(text), ""],
    ["UTF-8 with a mark", Buffer.from(`\uFEFF${text}`), ""],
    ["UTF-16 little", Buffer.from(`\uFEFF${text}`, "utf16le"), "UTF-16LE"],
    ["UTF-16 big", Buffer.from(`\uFEFF${text}`, "utf16le").swap16(), "UTF-16BE"],
    ["windows-1252", Buffer.from(text, "latin1"), "windows-1252"],
  ])("%s", async ([, bytes, note]) => {
    const found = await table("x.csv", bytes);
    expect(found).toMatchObject({ names: ["Straße", "Größe"], rows: [["Zürich", "1"]] });
    expect(found.notes.join()).toContain(note);
  });

  test("UTF-8 that is cut in the middle of a character is UTF-8", async () => {
    const found = await of("x.txt", `a${"ü".repeat(MIB)}`);
    expect(found).toMatchObject({ kind: "text", encoding: "UTF-8", more: true });
  });
});

describe("json", () => {
  test.for<[string, string, string[], string[]]>([
    [
      "an array of objects",
      '[{"a":1.10,"b":"x"},{"b":null,"c":{"d":[1]}}]',
      ["a", "b", "c"],
      ["1.10", "x", ""],
    ],
    ["large numbers", '[{"a":12345678901234567890}]', ["a"], ["12345678901234567890"]],
    ["one a line", '{"a":1e400}\n{"a":2}\n', ["a"], ["1e400"]],
    ["brackets in strings", '[{"a":"}],\\"[{"},{"a":2}]', ["a"], ['}],"[{']],
    [
      "names of the language's own",
      '[{"__proto__":1,"constructor":2}]',
      ["__proto__", "constructor"],
      ["1", "2"],
    ],
  ])("a table of %s", async ([, text, names, first]) => {
    const found = await table("x.json", text);
    expect(found.names).toEqual(names);
    expect(found.rows[0]).toEqual(first);
  });

  test("what was cut shows the objects that are whole", async () => {
    const text = `[${Array.from({ length: 90_000 }, (_, at) => `{"id":${at},"name":"n${at}"}`).join(",")}]`;
    expect(await table("x", text, 1_000)).toMatchObject({
      format: "json",
      more: true,
      rows: { length: 1_000 },
    });
    const few = await table("x", `[{"a":"${"x".repeat(600_000)}"},{"a":"${"y".repeat(600_000)}"}]`);
    expect(few).toMatchObject({ more: true, rows: { length: 1 } });
  });

  test("other JSON is indented, and keeps its digits", async () => {
    expect(await of("x.json", '{"a":[1.0,{}],"b":{"c":"d\\n"},"e":[]}')).toEqual({
      kind: "json",
      text: '{\n  "a": [\n    1.0,\n    {}\n  ],\n  "b": {\n    "c": "d\\n"\n  },\n  "e": []\n}',
      more: false,
      notes: [],
    });
  });

  test("broken JSON is shown as far as it goes", async () => {
    expect(await of("x.json", '{"a":[1,2')).toMatchObject({
      kind: "json",
      text: '{\n  "a": [\n    1,\n    2',
    });
  });
});

describe("text and what is none", () => {
  test("lines", async () => {
    expect(await of("x.log", "one, two\nthree\r\nfour", 2)).toEqual({
      kind: "text",
      encoding: "UTF-8",
      lines: ["one, two", "three"],
      more: true,
      notes: [],
    });
  });

  test("an even table is one, whatever it is called", async () => {
    expect(await table("export.dat", "a;b\n1;2\n3;4\n")).toMatchObject({ names: ["a", "b"] });
    expect(await of("letter.txt", "Dear Sir,\nyours,\nme, myself")).toMatchObject({ kind: "text" });
  });

  test.for<[string, string | Buffer, string]>([
    ["empty.csv", "", "empty"],
    ["a.xls", Buffer.from("d0cf11e0a1b11ae10000", "hex"), ".xls"],
    ["a.pdf", "%PDF-1.7", "PDF"],
    ["a.csv", Buffer.from(Array.from({ length: 2_000 }, (_, at) => at % 256)), "binary"],
    ["a.gz", gzipSync(gzipSync("x")), "binary"],
    ["a.parquet", "PAR1 and no more", "not whole"],
    ["a.zip", Buffer.from("504b0506000000000000000000000000000000000000", "hex"), "archive"],
  ])("%s", async ([name, content, why]) => {
    expect(await of(name, content)).toMatchObject({ kind: "none", why: expect.stringContaining(why) });
  });

  test("the first bytes of what is binary", async () => {
    expect(await of("x.bin", Buffer.from("\0\x01\x02AB\xff", "latin1"))).toMatchObject({
      hex: ["0000  00 01 02 41 42 ff                                ...AB."],
    });
  });
});
