/** Examples in the documentation are the programs of docs/examples, which test/journeys/examples.test.ts runs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  EXAMPLES,
  LANGUAGES,
  type Language,
  ONE_LINE,
  SETTING,
  textOf,
} from "../../receiver/openapi/examples.ts";
import { ROOT } from "../site/process.ts";
import { expectGolden } from "./golden.ts";

const URL = "https://receiver.example.com:8443";
const FENCE: Readonly<Record<Language, string>> = {
  curl: "sh",
  PowerShell: "powershell",
  Python: "python",
  Node: "js",
};

/** By the word after `example:` in the comment before it. */
const TEXTS = new Map<string, string>([
  ["one line", fenced("sh", ONE_LINE("$TRIBUTARY_URL"))],
  ...LANGUAGES.map(
    (language) =>
      [
        `setting ${language}`,
        fenced(language === "PowerShell" ? "powershell" : "sh", SETTING[language](URL)),
      ] as const,
  ),
  ...EXAMPLES.map((example) => [example.file, fenced(FENCE[example.language], textOf(example))] as const),
]);

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;
}

test.for<[string, number]>([
  ["docs/api.md", TEXTS.size],
  ["README.md", 1],
])("%s shows the examples word for word", ([name, count]) => {
  const file = join(ROOT, name);
  let shown = 0;
  const text = readFileSync(file, "utf8").replaceAll(
    /(<!-- example: (.+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_whole, begin: string, example: string, end: string) => {
      shown += 1;
      const made = TEXTS.get(example);
      if (made === undefined) throw new Error(`${file}: there is no example "${example}"`);
      return `${begin}${made}${end}`;
    },
  );
  expect(shown).toBe(count);
  expectGolden(file, text);
});
