import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './python.ts'

const CASES: readonly (readonly [built: string, abi: string, loads: boolean])[] = [
  ['cp311', 'cp311', true],
  ['cp311', 'cp312', false],
  ['cp313t', 'cp313', false],
  ['cp313t', 'cp313t', true],
  ['cp39-abi3', 'cp39', true],
  ['cp39-abi3', 'cp314', true],
  ['cp312-abi3', 'cp311', false],
  ['cp39-abi3', 'cp313t', false],
  ['abi3', 'cp39', true],
  ['cp39-abi3', 'pp310', false],
  ['pp310', 'pp310', true],
]

test('which interpreter loads an extension module', () => {
  const script =
    'import json, sys; from zapp.needs import loads_extension as f; print(json.dumps([f(*pair) for pair in json.loads(sys.argv[1])]))'
  const pairs = JSON.stringify(CASES.map(([built, abi]) => [built, abi]))
  const env = { ...process.env, PYTHONPATH: join(ROOT, 'python') }
  const answer = execFileSync('python3', ['-c', script, pairs], { encoding: 'utf8', env })
  expect(JSON.parse(answer)).toEqual(CASES.map(([, , loads]) => loads))
})
