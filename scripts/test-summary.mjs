// Prints the closing line of a test run, read from vitest's JSON report, and fails unless tests ran and all passed.
// Usage: node scripts/test-summary.mjs report.json
import { existsSync, readFileSync } from "node:fs";

const file = process.argv[2];
if (file === undefined || !existsSync(file)) {
  process.stderr.write(`No test report at ${file}: the runner did not finish.\n`);
  process.exit(1);
}
const report = JSON.parse(readFileSync(file, "utf8"));
// A file that could not be loaded, or whose set-up failed, has no failed test; it counts as one.
// (What no file owns, such as an unhandled rejection, is in the runner's exit status only.)
const broken = report.testResults.filter(
  (file) =>
    file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
);
for (const { name } of broken) process.stderr.write(`Could not run ${name}\n`);
const passed = report.numPassedTests;
const failed = report.numFailedTests + broken.length;
const skipped = report.numPendingTests + report.numTodoTests;
process.stdout.write(
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`,
);
process.exitCode = failed > 0 || passed === 0 || !report.success ? 1 : 0;
