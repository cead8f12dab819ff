import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../site/process.ts";

const PAGE = "docs/promises.md";

/** A name without a folder stands beside the one that the line named before it. */
function named(): string[] {
  return readFileSync(join(ROOT, PAGE), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .flatMap((line) => {
      let folder = "";
      return [...line.matchAll(/`([^`\s]+(?:\.(?:test|contract)\.ts|\/))`/g)].map(([, file = ""]) => {
        const path = file.includes("/") ? file : join(folder, file);
        folder = dirname(path);
        return path;
      });
    });
}

test("every promise names tests that are there", () => {
  const files = [...new Set(named())];
  expect(files.length).toBeGreaterThan(40);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

/** Every link of a page to another file of the checkout, with the heading that it means. */
test("links between the pages lead somewhere", () => {
  const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].concat(
    readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("docs", name)),
  );
  const broken = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [file = "", heading] = link.split("#");
      const target = file === "" ? page : join(dirname(page), file);
      if (!existsSync(join(ROOT, target))) return [`${page}: ${link}`];
      return heading === undefined || headings(target).includes(heading) ? [] : [`${page}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

/** As GitHub makes anchors of headings. */
function headings(page: string): string[] {
  return [...readFileSync(join(ROOT, page), "utf8").matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
