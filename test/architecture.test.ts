import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

/*
 * Imports go one way. A folder may import itself, errors.ts and what is listed; what it gets through them is its own
 * business. Words that only some folders may use are listed below with the places that may.
 */

const SRC = join(import.meta.dirname, '../src')

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'error-codes.ts': [],
  'errors.ts': ['error-codes.ts'],
  format: [],
  archive: ['format'],
  pack: ['archive', 'format'],
  mount: ['archive', 'format'],
  // Text from a manifest: it reads nothing itself.
  emit: ['format'],
  cache: ['mount', 'archive', 'format'],
  runtimes: ['cache', 'mount', 'archive', 'format'],
  adapters: ['runtimes', 'cache', 'mount', 'archive', 'format'],
  // `zapp serve` packs project folders.
  host: ['adapters', 'runtimes', 'cache', 'mount', 'pack', 'archive', 'format'],
  'index.ts': ['host', 'adapters', 'runtimes', 'cache', 'mount', 'pack', 'archive', 'format'],
  cli: ['index.ts', 'host', 'adapters', 'runtimes', 'cache', 'mount', 'emit', 'pack', 'archive', 'format'],
}

/** [what, the pattern that finds it, the places that may] */
const RESERVED: readonly (readonly [string, RegExp, RegExp])[] = [
  ['a zip library', /from '(?:yazl|yauzl)'|import\('(?:yazl|yauzl)'\)/, /^archive\//],
  ['zod', /from 'zod'/, /^(?:format\/manifest|host\/settings\/)/],
  ['process.env', /\bprocess\.env\b|\bimport \{[^}]*\benv\b[^}]*\} from 'node:process'/, /^runtimes\//],
  ['printing', /\bconsole\.|\bprocess\.(?:stdout|stderr|stdin)\b/, /^cli\//],
  ['exiting', /\bprocess\.(?:exit\b|exitCode|abort)/, /^cli\//],
  [
    'disk, network or zlib',
    /'node:(?:fs|fs\/promises|http|https|net|zlib|child_process)'/,
    /^(?!format\/|emit\/|errors\.ts)/,
  ],
]

const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:ts|js)$/.test(file))
  .map((file) => {
    // Comments may speak of anything; "://" begins none.
    const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, '')
    return { file: file.replaceAll('\\', '/'), code }
  })

const folderOf = (file: string) => file.split('/')[0]!

test('imports go one way', () => {
  const wrong = FILES.flatMap(({ file, code }) =>
    [...code.matchAll(/(?:from|import\(|import|new URL\()\s*'(\.[^']+\.[jt]s)'/g)].flatMap(([, target]) => {
      const to = folderOf(relative(SRC, join(SRC, dirname(file), target!)).replaceAll('\\', '/'))
      const from = folderOf(file)
      const allowed = [from, 'errors.ts', ...(MAY_IMPORT[from] ?? [])]
      return allowed.includes(to) ? [] : [`${file} imports ${target}`]
    }),
  )
  expect(wrong).toEqual([])
})

test('every folder has its place in the order', () => {
  expect([...new Set(FILES.map(({ file }) => folderOf(file)))].filter((folder) => !MAY_IMPORT[folder])).toEqual([])
})

test.each(RESERVED)('%s stays where it belongs', (_, pattern, place) => {
  expect(FILES.filter(({ file, code }) => pattern.test(code) && !place.test(file)).map(({ file }) => file)).toEqual([])
})
