import { encodePath } from "@tributary/shared/path.ts";
import { describe, expect, test } from "vitest";
import { foldedPath, hasTerm, termsOf, wordsOf } from "./fold.ts";

const fold = (text: string) => foldedPath(encodePath(Buffer.from(text)));

describe("words of a path", () => {
  test.for<[string, readonly string[]]>([
    ["Sales_Store12.CSV", ["12", "csv", "sales", "store12"]],
    ["2024-05-13", ["05", "13", "2024"]],
    ["inv2024b3c4", ["2024b3c4", "3c4", "b3c4", "inv2024b3c4"]],
    ["Müller/MU\u0308LLER", ["müller"]],
    ["日本語 テスト", ["テスト", "日本語"]],
    ["---", []],
    [`${"x".repeat(23)}😀y`, ["x".repeat(23)]],
    ["y".repeat(4000), ["y".repeat(24)]],
  ])("%s", ([path, words]) => {
    expect([...wordsOf(fold(path))].sort()).toEqual(words);
  });
});

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
