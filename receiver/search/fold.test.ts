import { encodePath } from "@tributary/shared/path.ts";
import { describe, expect, test } from "vitest";
import { foldedPath, hasTerm, lineOf, parseLine, termsOf, wordsOf } from "./fold.ts";

const fold = (text: string) => foldedPath(encodePath(Buffer.from(text)));

describe("words of a path", () => {
  test.for<[string, readonly string[]]>([
    ["Sales_Store12.CSV", ["12", "csv", "sales", "store12"]],
    ["2024-05-13", ["05", "13", "2024"]],
    ["inv2024b3c4", ["2024b3c4", "3c4", "b3c4", "inv2024b3c4"]],
    ["Müller/MU\u0308LLER/muller", ["muller"]],
    ["İstanbul/istanbul/café", ["cafe", "istanbul"]],
    ["日本語 テスト", ["スト", "テスト", "ト", "日本語", "本語", "語"]],
    ["月次報告書2024年", ["2024年", "告書20", "報告書2", "年", "書202", "月次報告", "次報告書"]],
    ["𠮷野家の𠮷", ["の𠮷", "家の𠮷", "野家の", "𠮷", "𠮷野家"]],
    ["SalesReport.csv", ["csv", "report", "salesreport"]],
    ["HRReportV2", ["2", "hrreportv2", "reportv2", "v2"]],
    ["aBcDeFgHiJkLmN", ["abcdefghijklmn"]],
    [
      "aaBaaCaaDaaEaaFaaGaaHaa",
      [
        "aabaacaadaaeaafaagaahaa",
        "baacaadaaeaafaagaahaa",
        "caadaaeaafaagaahaa",
        "daaeaafaagaahaa",
        "eaafaagaahaa",
        "faagaahaa",
        "gaahaa",
      ],
    ],
    ["---", []],
    [`${"x".repeat(23)}😀y`, ["x".repeat(23)]],
    ["y".repeat(4000), ["y".repeat(24)]],
  ])("%s", ([path, words]) => {
    expect([...wordsOf(fold(path))].sort()).toEqual(words);
  });
});

test.for(["SalesReport/XMLFile.csv", "sales report", "ÄrzteListe", "a\nB\u0002C", "", "Ⱥa/SalesReport"])(
  "%s stands in a line, and is read from it",
  (path) => {
    const line = lineOf(fold(path));
    expect(line).not.toContain("\n");
    expect(parseLine(line)).toEqual(fold(path));
  },
);

describe("a term", () => {
  test.for<[string, string, boolean]>([
    ["sales.csv", "SAL", true],
    ["wholesales.csv", "sales", false],
    ["wholesales.csv", "sales.csv", false],
    ["wholesales.csv", ".CSV", true],
    ["store12.csv", "12", true],
    ["store12.csv", "2", false],
    ["a1b2c3d4", "c3", false],
    ["a1b2c3d4", "b2c3", true],
    ["a\nb", "b", true],
    ["100%.csv", "0%", false],
    ["100%.csv", "100%", true],
    ["ΣΊΣΥΦΟΣ", "σίσυφος", true],
    ["SalesReport.csv", "report", true],
    ["SalesReport.csv", "Sales", true],
    ["SalesReport.csv", "SALESREPORT.CSV", true],
    ["SalesReport.csv", "reportcsv", false],
    ["Salesreport.csv", "report", false],
    ["XMLReport.csv", "report", true],
    ["XMLReport.csv", "lreport", false],
    ["SalesQ1.csv", "q1", true],
    ["iPhone", "phone", true],
    ["kJ/mX", "x", false],
    ["ÖffentlicheÜbersicht", "übersicht", true],
    ["ÖffentlicheÜbersicht", "ubersicht", true],
    ["ÖffentlicheU\u0308bersicht", "ÜBER", true],
    ["café.csv", "cafe", true],
    ["café.csv", "cafe\u0301", true],
    ["cafe.csv", "café", true],
    ["İstanbul", "istanbul", true],
    ["istanbul", "İstanbul", true],
    ["Łódź", "łodz", true],
    ["Ёлка", "елка", true],
    ["月次報告.csv", "報告", true],
    ["月次報告.csv", "次", true],
    ["2024年報告", "年報告", true],
    ["報告Sales", "sales", true],
    ["ガス", "カス", false],
    ["ｶﾞｽ", "ガス", true],
    ["월간보고서", "보고서", true],
    ["월간보고서".normalize("NFD"), "보고서", true],
    ["हिन्दी", "हिन्द", true],
    ["हिन्दी", "हन", false],
    ["aa sales", "sales", true],
    ["xsales sales", "sales", true],
  ])("%s has %s: %s", ([path, typed, has]) => {
    const terms = termsOf(typed);
    expect(terms).toHaveLength(1);
    expect(terms.every((term) => hasTerm(fold(path), term))).toBe(has);
  });

  test("asks for whole words, but for its last", () => {
    expect(termsOf("  sales_2024-05 .csv  sales_2024-05")).toEqual([
      {
        text: "sales_2024-05",
        words: [
          { text: "sales", whole: true },
          { text: "2024", whole: true },
          { text: "05", whole: false },
        ],
      },
      { text: ".csv", words: [{ text: "csv", whole: false }] },
    ]);
    expect(termsOf(" ")).toEqual([]);
  });
});
