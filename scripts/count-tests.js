/** Adds up the JSON results of several vitest runs: node scripts/count-tests.js FOLDER. Ends with one line that counts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2] ?? 'build/results'
const total = { passed: 0, failed: 0, skipped: 0 }

for (const name of readdirSync(folder).sort()) {
  const run = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  // A file that fails to load holds no test and would otherwise not be counted.
  const brokenFiles = run.testResults.filter(
    (/** @type {any} */ file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length
  console.log(`${name}: ${run.numPassedTests} passed, ${run.numFailedTests + brokenFiles} failed`)
  total.passed += run.numPassedTests
  total.failed += run.numFailedTests + brokenFiles
  total.skipped += run.numPendingTests + run.numTodoTests
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
if (total.failed > 0 || total.passed === 0) process.exitCode = 1
