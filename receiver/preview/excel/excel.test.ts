import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { previewOf } from "../read.ts";
import { sourceOfBytes, workbookOf, zipOf } from "../samples.ts";
import { dateOf, durationOf, momentOfCode } from "./dates.ts";
import { lettersOf } from "./sheet.ts";

async function table(bytes: Buffer, rows = 10, columns = 10) {
  const found = await previewOf(sourceOfBytes(bytes), { name: "x.xlsx", size: bytes.length, rows, columns });
  if (found.kind !== "table") throw new Error(JSON.stringify(found));
  return { ...found, names: found.columns.map(({ name }) => name) };
}
const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

describe("what other programs wrote", () => {
  test("XlsxWriter: a hidden sheet, dates, a duration, saved values of formulas, rich text", async () => {
    const found = await table(fixture("xlsxwriter.xlsx"));
    expect(found.names).toEqual(["when", "long", "sum", "rich", "error", "euro"]);
    expect(found.rows).toEqual([
      ["2024-02-29", "26:30:00", "0.333333333333333", "a bold word", "#DIV/0!", "3"],
      ["", "", "", "", "", ""],
      ["_x000D_ kept", "FALSE", "", "", "", ""],
    ]);
    expect(found.notes).toContain("Sheet: Shown, of 2: Hidden, Shown.");
  });

  test("openpyxl: merged cells, and a formula that nobody computed stays empty", async () => {
    const found = await table(fixture("openpyxl.xlsx"));
    expect(found.rows[0]).toEqual([
      "1",
      "0.1",
      "2024-03-01",
      "2024-03-01 12:30:00",
      "0.25",
      "Grüße\nagain",
      "",
    ]);
    expect(found.rows[3]?.[0]).toBe("merged");
    expect(found.notes).toContain("Formulas that were saved without a value are empty here: 1.");
  });
});

describe("cells", () => {
  test("inline, shared, phonetic, escaped, prefixed, without a reference, out of the wish", async () => {
    const found = await table(
      workbookOf(
        `<sheetData><row><c t="inlineStr"><is><t>a_x0009_b</t></is></c><c t="s"><v>1</v></c></row>
        <row r="4"><c r="B4"><v>0.10</v></c><c r="AZ4"><v>1</v></c></row></sheetData>`,
        `<si><t>no</t></si><si><r><t>ya</t></r><r><t>ma</t></r><rPh><t>やま</t></rPh></si>`,
      ),
    );
    expect(found.rows.slice(0, 3).map((row) => row.slice(0, 2))).toEqual([
      ["", ""],
      ["", ""],
      ["", "0.10"],
    ]);
    expect(found.names.slice(0, 2)).toEqual(["a\tb", "yama"]);
    expect(found.notes).toContain("10 of 52 columns are shown.");
  });

  test("no more rows than asked for", async () => {
    const rows = Array.from({ length: 30 }, (_, at) => `<row r="${at + 1}"><c><v>${at}</v></c></row>`).join(
      "",
    );
    const found = await table(workbookOf(`<sheetData>${rows}</sheetData>`), 5);
    expect(found).toMatchObject({ names: ["A"], more: true, rows: [["0"], ["1"], ["2"], ["3"], ["4"]] });
  });
});

describe("what is refused", () => {
  const sheet = `<sheetData><row><c t="s"><v>0</v></c></row></sheetData>`;
  test.for<[string, Buffer, string]>([
    [
      "entities that multiply",
      workbookOf(sheet, "<si><t>&b;</t></si>", '<!DOCTYPE s [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'),
      "DTD",
    ],
    [
      "entities outside",
      workbookOf(sheet, "<si><t>&b;</t></si>", '<!DOCTYPE s [<!ENTITY b SYSTEM "file:///etc/passwd">]>'),
      "DTD",
    ],
    ["deep XML", workbookOf("<a>".repeat(100_000)), "nested"],
    ["a zip without a workbook", zipOf([{ name: "a.csv", content: "1" }]), "archive"],
    [
      "a binary workbook",
      zipOf([
        { name: "[Content_Types].xml", content: "" },
        { name: "xl/workbook.bin", content: "" },
      ]),
      ".xlsb",
    ],
    [
      "a letter",
      zipOf([
        { name: "[Content_Types].xml", content: "" },
        { name: "word/document.xml", content: "<a/>" },
      ]),
      "without a sheet",
    ],
    [
      "a part that says it is far larger than its bytes can be",
      zipOf([
        { name: "[Content_Types].xml", content: "" },
        { name: "xl/workbook.xml", content: "<a/>", said: 2 ** 30 },
      ]),
      "says that it is",
    ],
  ])("%s", async ([, bytes, why]) => {
    const wish = { name: "x.xlsx", size: bytes.length, rows: 5, columns: 5 };
    expect(await previewOf(sourceOfBytes(bytes), wish)).toMatchObject({
      kind: "none",
      why: expect.stringContaining(why),
    });
  });
});

test.for<[string, boolean, string]>([
  ["1", false, "1900-01-01"],
  ["59", false, "1900-02-28"],
  ["60", false, "1900-02-29"],
  ["61", false, "1900-03-01"],
  ["45352", false, "2024-03-01"],
  ["43890", true, "2024-03-01"],
  ["45352.520833333336", false, "2024-03-01 12:30:00"],
  ["0.5", false, "12:00:00"],
  ["-1", false, "-1"],
  ["1e9", false, "1e9"],
  ["NaN", false, "NaN"],
])("the date %s, since 1904: %s", ([written, since1904, shown]) => {
  expect(dateOf(written, since1904)).toBe(shown);
});

test.for<[string, string | undefined]>([
  ["dd.mm.yyyy", "date"],
  ['#,##0.00 "days"', undefined],
  ["[Red]0.00", undefined],
  ["[$-409]h:mm AM/PM", "date"],
  ["[h]:mm", "duration"],
  ["General", undefined],
  ["0.00E+00", undefined],
])("the format %s", ([code, moment]) => {
  expect(momentOfCode(code)).toBe(moment);
});

test("durations, and letters of columns", () => {
  expect(durationOf("1.5")).toBe("36:00:00");
  expect([0, 25, 26, 701, 702, 16_383].map(lettersOf)).toEqual(["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
});
