import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { expect, test } from "vitest";
import { ROOT } from "../site/process.ts";
import { expectGolden } from "./golden.ts";

const BEGIN = "<!-- problems: made from shared/problems.ts by test/golden/problems.test.ts -->";
const END = "<!-- end of problems -->";

test("docs/wire.md names every problem as the programs answer it", () => {
  const file = join(ROOT, "docs", "wire.md");
  const [before, rest] = readFileSync(file, "utf8").split(BEGIN);
  const after = rest?.split(END)[1];
  expect(after, `${file} lacks the two comments between which the table stands`).toBeDefined();
  expectGolden(file, `${before}${BEGIN}\n${tables()}${END}${after}`);
});

/** What travels, and what only a program on its own host says. */
function tables(): string {
  const all = Object.entries(PROBLEMS);
  const row = ([code, { status, retry, title }]: (typeof all)[number]): string =>
    `| \`${code}\` | ${status === 0 ? "" : `${status} | `}${retry ? "yes" : "no"} | ${title} |`;
  const wire = all.filter(([, { status }]) => status !== 0);
  const local = all.filter(([, { status }]) => status === 0);
  return `
| code | status | retry | title |
|---|---|---|---|
${wire.map(row).join("\n")}

These never travel. A program says them on its own host: in its log, in \`status\`, on stderr.

| code | retry | title |
|---|---|---|
${local.map(row).join("\n")}

`;
}
