import { expect, test } from "vitest";
import { markedIn } from "./marked.ts";

test.for<readonly [string, string, string]>([
  ["reports/Sales-2026.csv", "sales 2026", "reports/[Sales]-[2026].csv"],
  ["reports/report.csv", "port", "reports/report.csv"],
  ["a/b.csv", ".csv", "a/b[.csv]"],
  ["pos2026/x", "2026", "pos[2026]/x"],
  ["abc/abcd", "abc abcd", "[abc]/[abcd]"],
  ["İx/abc", "abc ix", "[İx]/[abc]"],
  ["İstanbul/SalesReport.csv", "report istanbul", "[İstanbul]/Sales[Report].csv"],
  ["XMLReport/Salesreport", "report", "XML[Report]/Salesreport"],
  ["cafe\u0301s/café/CAFE", "café", "[cafe\u0301]s/[café]/[CAFE]"],
  ["o\u0308b/Öffentlich", "offen", "o\u0308b/[Öffentlich]".replace("tlich]", "]tlich")],
  ["月次報告.csv", "報告", "月次[報告].csv"],
  ["월간보고서".normalize("NFD"), "보고서", "월간[보고서]".normalize("NFD")],
  ["ﬁle/😀 ﬁles.csv", "fi", "[ﬁ]le/😀 [ﬁ]les.csv"],
  ["ΣΊΣΥΦΟΣ.csv", "σίσυφος", "[ΣΊΣΥΦΟΣ].csv"],
  ["a", "", "a"],
])("%s for %s", ([path, typed, shown]) => {
  const marks = markedIn(path, typed);
  const text = marks
    .toReversed()
    .reduce((all, [from, to]) => `${all.slice(0, from)}[${all.slice(from, to)}]${all.slice(to)}`, path);
  expect(text).toBe(shown);
});
