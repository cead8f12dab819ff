/** Files that strangers depend on are compared word by word; UPDATE_GOLDEN=1 writes them anew, on purpose. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "vitest";

export function expectGolden(file: string, text: string): void {
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (!existsSync(file)) throw new Error(`${file} does not exist; UPDATE_GOLDEN=1 writes it`);
  expect(
    text,
    `${file} differs; if that is meant, run with UPDATE_GOLDEN=1 and say it in the changelog`,
  ).toBe(readFileSync(file, "utf8"));
}
