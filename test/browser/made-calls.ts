/** Which acts of the console's table pages have really made: kept in one file a test file, judged when all have run. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { CALLS, type CallName } from "../../receiver/console/calls.ts";

const FOLDER = "TRIBUTARY_MADE_CALLS";
const PATTERNS = Object.entries(CALLS).map(
  ([name, { method, path }]) => [name, method, new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}$`)] as const,
);

function callOf(method: string, path: string): CallName | undefined {
  return PATTERNS.find(([, of, pattern]) => of === method && pattern.test(path))?.[0] as CallName | undefined;
}

/** Of a page that a test has opened: what it was answered well counts. */
export function keepCalls(page: Page): void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return;
  const file = expect.getState().testPath;
  if (file === undefined) return;
  const kept = join(folder, basename(file));
  appendFileSync(kept, "");
  page.on("response", (response) => {
    const request = response.request();
    const call = callOf(request.method(), new URL(request.url()).pathname);
    if (response.ok() && call !== undefined) appendFileSync(kept, `${call}\n`);
  });
}

/** For the global setup, whose environment the workers get. What it gives throws when an act was made by no page. */
export function watchCalls(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "tributary-calls-"));
  process.env[FOLDER] = folder;
  return () => {
    const files = readdirSync(folder);
    const made = new Set(files.flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n")));
    rmSync(folder, { recursive: true });
    // Where some files alone have run, nobody can say what the others would have done.
    const all = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
    if (!all.every((name) => files.includes(name))) return;
    const acts = (Object.keys(CALLS) as CallName[]).filter((name) => CALLS[name].method !== "GET");
    const never = acts.filter((name) => !made.has(name));
    if (never.length > 0)
      throw new Error(`no page in a browser has made: ${never.join(", ")}; click them in test/browser`);
  };
}
