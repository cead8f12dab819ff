import { readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** What `--reporter=json` of vitest writes, as far as it is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/**
 * `count.ts REPORTS [FAILED-STEP…]`: prints `N passed, N failed, N skipped` as its only line on stdout, and on stderr what
 * failed. REPORTS is a folder with one report for each step that runs tests, by the step's name. A test file that could
 * not be read and a failed step count as one failure each.
 */
const [folder = "", ...failedSteps] = process.argv.slice(2);
const STEPS = ["tests", "packages"];
/** Of each message and its stack; the rest is in the step's own output. */
const LINES = 12;

function read(step: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, `${step}.json`), "utf8"));
  } catch {
    return undefined;
  }
}

const reports = new Map(STEPS.map((step) => [step, read(step)]));
const all = [...reports.values()].filter((report) => report !== undefined);
const linesOf = (messages: readonly string[]): string =>
  messages.join("\n").split("\n").slice(0, LINES).join("\n");
const sum = (count: (report: Report) => number): number =>
  all.reduce((total, report) => total + count(report), 0);
const brokenIn = (report: Report): readonly { readonly name: string }[] =>
  report.testResults.filter(
    (result) => result.status === "failed" && result.assertionResults.every((one) => one.status !== "failed"),
  );
const failedIn = (report: Report): number => report.numFailedTests + brokenIn(report).length;
const passed = sum((report) => report.numPassedTests);
// A step of tests failed because of the tests counted here; if none is counted, it failed for its own reason.
const forItself = failedSteps.filter((step) => {
  const report = reports.get(step);
  return report === undefined || failedIn(report) === 0;
});
const failed = sum(failedIn) + forItself.length;
const skipped = sum((report) => report.numPendingTests + report.numTodoTests);

// Once more what failed, where it is found: a log of a whole run is long.
for (const { name, assertionResults } of all.flatMap((report) => report.testResults))
  for (const { fullName, failureMessages } of assertionResults.filter(({ status }) => status === "failed"))
    console.error(`failed: ${relative(process.cwd(), name)} > ${fullName}\n${linesOf(failureMessages)}`);
for (const { name } of all.flatMap(brokenIn)) console.error(`could not run ${name}`);
if (passed === 0) console.error("no test passed");
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 || (skipped > 0 && process.env.CI === "true") ? 1 : 0;
