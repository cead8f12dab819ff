import { readFileSync } from "node:fs";

/** What `--reporter=json` of vitest writes, as far as it is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/**
 * `count.ts REPORT [FAILED-STEP…]`: prints `N passed, N failed, N skipped` as its only line on stdout. A test file
 * that could not be read and a failed step before the tests count as one failure each.
 */
const [file = "", ...failedSteps] = process.argv.slice(2);

function read(): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

const report = read();
const results = report?.testResults ?? [];
const broken = results.filter(
  (result) => result.status === "failed" && result.assertionResults.every((one) => one.status !== "failed"),
);
const passed = report?.numPassedTests ?? 0;
const inTests = (report?.numFailedTests ?? 0) + broken.length;
// The step "tests" failed because of the tests counted here; if none is counted, it failed for its own reason.
const failed = inTests + failedSteps.filter((step) => step !== "tests" || inTests === 0).length;
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);

for (const { name } of broken) console.error(`could not run ${name}`);
if (passed === 0) console.error("no test passed");
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 || (skipped > 0 && process.env.CI === "true") ? 1 : 0;
