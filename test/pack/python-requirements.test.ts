import { join } from 'node:path'
import { expect, test } from 'vitest'
import { holds } from '../../src/pack/python/markers.ts'
import { parseRequirement } from '../../src/pack/python/requirement.ts'
import { readRequirements } from '../../src/pack/python/requirements-file.ts'
import { makeTree } from './helpers/tree.ts'

test('includes, constraints, hashes and options become one list that pip can read from anywhere', async () => {
  const root = await makeTree({
    'requirements.txt': `# what it needs
--find-links ./wheels
--no-index
-r more/base.txt
-c constraints.txt
Flask[async] >= 3 ; python_version >= "3.9"   # the app
click==8.1.7 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
-e .[admin]
`,
    'more/base.txt': '-r ../requirements.txt\nbar_Baz\n',
    'constraints.txt': 'click<9\n',
  })
  const { lines, constraints, requirements, self, findings } = readRequirements(root, 'requirements.txt')
  expect(findings).toEqual([])
  expect(self).toEqual(['admin'])
  expect(lines.map((line) => line.replace(/\s+/g, ' '))).toEqual([
    `--find-links ${join(root, 'wheels')}`,
    '--no-index',
    'bar_Baz',
    'Flask[async] >= 3 ; python_version >= "3.9"',
    'click==8.1.7 --hash=sha256:aa --hash=sha256:bb',
  ])
  expect(constraints).toEqual(['click<9'])
  expect(requirements).toEqual([
    { name: 'bar-baz', extras: [] },
    { name: 'flask', extras: ['async'], marker: 'python_version >= "3.9"' },
    { name: 'click', extras: [] },
  ])
})

test.each([
  './vendored',
  '../other',
  '-e ../other',
  '-e git+https://example.org/x.git#egg=x',
  'git+ssh://git@example.org/x.git',
  'x @ git+https://example.org/x.git',
  'x @ https://example.org/x-1.0.tar.gz',
  'https://example.org/x-1.0.tar.gz',
  'x-1.0.tar.gz',
  'file:///srv/x',
  '--no-binary :all:',
  '--no-b=:all:',
])('DEP_SOURCE: %s is no published package', async (line) => {
  const root = await makeTree({ 'requirements.txt': `flask\n${line}\n` })
  const { findings, lines } = readRequirements(root, 'requirements.txt')
  expect(findings).toMatchObject([{ code: 'DEP_SOURCE', path: 'requirements.txt', line: 2 }])
  expect(lines).toEqual(['flask'])
})

test('constraints are held to the same', async () => {
  const tree = {
    'requirements.txt': '-c limits.txt\nflask\n',
    'limits.txt': 'flask @ git+https://example.org/flask\n--no-binary flask\n',
  }
  const { findings } = readRequirements(await makeTree(tree), 'requirements.txt')
  expect(findings).toMatchObject([
    { code: 'DEP_SOURCE', path: 'limits.txt', line: 1 },
    { code: 'DEP_SOURCE', path: 'limits.txt', line: 2 },
  ])
})

test('a wheel by its address is one', async () => {
  const root = await makeTree({ 'requirements.txt': 'x @ https://example.org/x-1.0-py3-none-any.whl#sha256=aa\n' })
  expect(readRequirements(root, 'requirements.txt')).toMatchObject({ findings: [], requirements: [{ name: 'x' }] })
})

test('an included file that is not there is told', async () => {
  const root = await makeTree({ 'requirements.txt': '-r absent.txt\n' })
  expect(() => readRequirements(root, 'requirements.txt')).toThrow(/absent\.txt/)
})

const ENV = {
  python_version: '3.11',
  python_full_version: '3.11.7',
  sys_platform: 'linux',
  platform_system: 'Linux',
  platform_machine: 'x86_64',
  os_name: 'posix',
  implementation_name: 'cpython',
  platform_python_implementation: 'CPython',
}

test.each([
  ['python_version < "3.9"', false],
  ['python_version >= "3.9"', true],
  ["'3.9' <= python_version", true],
  ['python_full_version < "3.11.10"', true],
  ['python_version == "3.*"', true],
  ['python_version ~= "3.8"', true],
  ['python_version in "3.10 3.11"', true],
  ['python_version not in "3.10"', true],
  ['sys_platform == "win32" or os_name == "posix" and platform_machine == "x86_64"', true],
  ['(sys_platform == "win32" or os_name == "posix") and platform_machine == "arm64"', false],
  ['extra == "standard"', true],
  ['extra == "Other_Thing"', true],
  ['extra == "absent"', false],
  ['python_version >= "3.9" and extra == "absent"', false],
  ['what is this', true],
])('marker %s holds: %s', (marker, expected) => {
  expect(holds(marker, ENV, new Set(['standard', 'other-thing']))).toBe(expected)
})

test.each([
  ['a', { name: 'a', extras: [] }],
  ['A.b_c [x, Y_z] (>=1.0,<2); os_name == "nt"', { name: 'a-b-c', extras: ['x', 'y-z'], marker: 'os_name == "nt"' }],
  [
    'a @ https://example.org/a.whl ; os_name == "nt"',
    { name: 'a', extras: [], url: 'https://example.org/a.whl', marker: 'os_name == "nt"' },
  ],
  ['a!=1.5', { name: 'a', extras: [] }],
  ['./a', undefined],
  ['a\n--no-binary :all:', undefined],
  ['a>=1 --no-binary :all:', undefined],
  ['a>=1 -i x', undefined],
])('requirement %s', (text, expected) => {
  expect(parseRequirement(text)).toEqual(expected)
})
