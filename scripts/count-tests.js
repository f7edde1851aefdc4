/**
 * Adds up the JSON results of several vitest runs: node scripts/count-tests.js FOLDER. Tells what failed, what passed only
 * when it was tried again, and what could not be run, each with its reason, and ends with one line that counts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/**
 * @typedef {{ fullName: string, title: string, status: string, failureMessages: string[], meta: { notRun?: string } }} Test
 * @typedef {{ name: string, status: string, message: string, assertionResults: Test[] }} File
 * @typedef {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
 *   testResults: File[] }} Run
 */

/** Lines of a failure that are repeated here: its message, and rarely more of a difference than that. */
const LINES = 8

const folder = process.argv[2] ?? 'build/results'
const total = { passed: 0, failed: 0, skipped: 0 }
/** @type {string[]} */
const news = []

for (const name of readdirSync(folder).sort()) {
  /** @type {Run} */
  const run = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const title = name.replace(/\.json$/, '')
  let failed = run.numFailedTests
  for (const file of run.testResults) {
    const where = `${title}: ${relative(process.cwd(), file.name)}`
    const tests = file.assertionResults
    const wrong = tests.filter(({ status }) => status === 'failed')
    for (const test of wrong) news.push(`failed  ${where}: ${nameOf(test)}`, ...reason(test.failureMessages[0]))
    // Neither a file that does not load nor one whose hooks fail holds a test that has failed.
    if (file.status === 'failed' && wrong.length === 0) {
      failed++
      news.push(`failed  ${where}: outside of its tests`, ...reason(file.message || 'a hook of a group: see above'))
    }
    for (const test of tests) {
      // What the first try threw stays with a test that the second one passes.
      const [thrown] = test.status === 'passed' ? test.failureMessages : []
      if (thrown) news.push(`retried ${where}: ${nameOf(test)}`, ...reason(thrown))
      if (test.meta.notRun) news.push(`not run ${where}: ${nameOf(test)}`, ...reason(test.meta.notRun))
    }
  }
  console.log(`${name}: ${run.numPassedTests} passed, ${failed} failed`)
  total.passed += run.numPassedTests
  total.failed += failed
  total.skipped += run.numPendingTests + run.numTodoTests
}

if (news.length > 0) console.log(['', ...news, ''].join('\n'))
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
if (total.failed > 0 || total.passed === 0) process.exitCode = 1

/** @param {Pick<Test, 'fullName' | 'title'>} test */
function nameOf({ fullName, title }) {
  return fullName.trim() || title
}

/** The message and where in the tests it was thrown. @param {string | undefined} text */
function reason(text = '') {
  const lines = stripVTControlCharacters(text).split('\n')
  const message = lines.filter((line) => !/^ {4}at /.test(line) && line.trim() !== '').slice(0, LINES)
  const place = lines.find((line) => /^ {4}at .*\btest\//.test(line))
  return [...message, ...(place ? [place.trim()] : [])].map((line) => `          ${line.slice(0, 300)}`)
}
