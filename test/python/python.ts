import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

/** Runs a program of python/tests with warnings as errors and what it prints as JSON as the result. */
export function runPython<T>(program: string, input: string, ...args: string[]): T {
  const out = execFileSync('python3', ['-W', 'error', join(ROOT, 'python/tests', program), ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return JSON.parse(out)
}
