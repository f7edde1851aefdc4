import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REJECTED } from '../fixtures/make/rejected/all.ts'
import { validateArchive } from '../src/archive/validate.ts'
import { ERRORS, type ErrorCode, type Finding, fail } from '../src/errors.ts'
import { parseManifest } from '../src/format/manifest-parse.ts'

/*
 * A code is a promise: it stands in src/error-codes.ts, in schema/ERRORS.md, in schema/FORMAT.md where the format needs it,
 * and something shows it: an archive, a manifest, or an assertion. This file ties the four together, both ways.
 */

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const CODES = Object.keys(ERRORS) as ErrorCode[]

interface Row {
  readonly group: string
  readonly code: string
  readonly status: string
  /** `archives`, `manifests`, or the path of a test. */
  readonly shown: string
}

/** `| `CODE` | meaning | what to do | status | shown by |` below `## Group`. */
const ROWS = read('schema/ERRORS.md')
  .split('\n## ')
  .slice(1)
  .flatMap((section): Row[] => {
    const group = section.split('\n', 1)[0]!
    return [...section.matchAll(/^\| `([A-Z0-9_]+)` \|.*\| ([0-9]{3}) \| (.+) \|$/gm)].map(
      ([, code, status, shown]) => ({ group, code: code!, status: status!, shown: shown! }),
    )
  })

const ARCHIVES = new Set<string>(REJECTED.map(({ code }) => code))
const MANIFEST_FIXTURES = readdirSync(join(ROOT, 'fixtures/manifests/rejected'))
const MANIFESTS = new Set(MANIFEST_FIXTURES.map((name) => name.replace(/--.*/, '')))

describe('schema/ERRORS.md', () => {
  it('has one row for each code, in the order of src/error-codes.ts', () => {
    expect(ROWS.map(({ code }) => code)).toEqual(CODES)
  })

  it('has the statuses of src/error-codes.ts', () => {
    const statuses = Object.fromEntries(CODES.map((code) => [code, String(ERRORS[code].status)]))
    expect(Object.fromEntries(ROWS.map(({ code, status }) => [code, status]))).toEqual(statuses)
  })

  it.each(ROWS.map((row) => [row.code, row.shown]))('%s is shown by %s', (code, shown) => {
    if (shown === 'archives') expect(ARCHIVES).toContain(code)
    else if (shown === 'manifests') expect(MANIFESTS).toContain(code)
    else {
      const [, path] = /^\[.*\]\(\.\.\/(test\/.+\.test\.ts)\)$/.exec(shown) ?? []
      expect(path, 'a link to a test').toBeDefined()
      expect(read(path!)).toMatch(new RegExp(`\\b${code}\\b`))
    }
  })
})

describe('fixtures', () => {
  it('are named after codes whose row says so', () => {
    const shown = (by: string) => new Set(ROWS.filter((row) => row.shown === by).map(({ code }) => code))
    const either = new Set([...shown('archives'), ...shown('manifests')])
    expect(either).toEqual(new Set([...ARCHIVES, ...MANIFESTS]))
  })

  it('in the folder are exactly those that the maker makes', () => {
    const made = REJECTED.filter(({ large }) => !large).map(({ code, why }) => `${code}--${why}.zapp`)
    const there = readdirSync(join(ROOT, 'fixtures/rejected')).filter((name) => name.endsWith('.zapp'))
    expect(there.sort()).toEqual(made.sort())
  })
})

describe('schema/FORMAT.md', () => {
  const text = read('schema/FORMAT.md')
  /** In capitals as well, but no codes: variables of CGI and of environments, words of RFC 2119, names of standards. */
  const OTHER = new Set(
    'GATEWAY_INTERFACE DOCUMENT_ROOT CONTENT_LENGTH SCRIPT_NAME PATH_INFO QUERY_STRING NODE_OPTIONS NODE_ENV NODE_MODULE_VERSION CAPITALS_LIKE_THIS'.split(
      ' ',
    ),
  )

  it('names no code that does not exist', () => {
    const inParentheses = [...text.matchAll(/\(([A-Z][A-Z0-9_]{2,})(?=[),:;]| as a warning| MANIFEST)/g)]
    const withUnderscore = [...text.matchAll(/(?<![A-Za-z0-9_`])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b/g)]
    const named = [...inParentheses, ...withUnderscore].map(([, word]) => word!)
    expect(named.length).toBeGreaterThan(150)
    expect(named.filter((word) => !Object.hasOwn(ERRORS, word) && !OTHER.has(word))).toEqual([])
  })

  it('gives a rule or a need for each code that an archive can be refused with', () => {
    const elsewhere = new Set(['Packing', 'Files and the command line', 'The admin API'])
    const ofTheFormat = ROWS.filter(({ group }) => !elsewhere.has(group)).map(({ code }) => code)
    const named = new Set(text.match(/\b[A-Z][A-Z0-9_]+\b/g))
    expect(ofTheFormat.filter((code) => !named.has(code))).toEqual([])
  })

  it('carries every pattern of the manifest’s schema', () => {
    const patterns = new Set<string>()
    JSON.parse(read('schema/manifest.v1.schema.json'), (key, value) => {
      if (key === 'pattern' && typeof value === 'string') patterns.add(value.replace(/^\^\(\?:|\)\$$/g, ''))
      return value
    })
    expect(patterns.size).toBeGreaterThan(15)
    expect([...patterns].filter((pattern) => !text.includes(`\`${pattern}\``))).toEqual([])
  })
})

describe('messages', () => {
  /** These may be left out: an empty text then completes the sentence. */
  const OPTIONAL = new Set(['file', 'hint', 'about'])

  it.each(REJECTED.map((fixture) => [`${fixture.code}--${fixture.why}`, fixture] as const))(
    '%s: every finding brings what its message needs',
    async (_, fixture) => {
      const { findings } = await validateArchive(fixture.make())
      expect(findings.flatMap(unfilled)).toEqual([])
    },
  )

  it.each(MANIFEST_FIXTURES)('%s: every finding brings what its message needs', (name) => {
    const { findings } = parseManifest(readFileSync(join(ROOT, 'fixtures/manifests/rejected', name)))
    expect(findings.flatMap(unfilled)).toEqual([])
  })

  it('write amounts in groups of three, and the id of a process as other programs do', () => {
    expect(fail('HEALTH_FAILED', '', { path: '/', timeout: 30_000, got: 500 }).message).toContain('30,000 ms')
    expect(fail('HOST_RUNNING', '', { dir: 'state', pid: 30_722 }).message).toContain('process 30722 ')
  })

  function unfilled({ code, args }: Finding): string[] {
    const { message, fix } = ERRORS[code]
    const names = [...`${message} ${fix}`.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
    return names.filter((name) => !OPTIONAL.has(name) && args[name] === undefined).map((name) => `${code}: ${name}`)
  }

  it('are made with what they need wherever the code writes them out', () => {
    const wrong = filesBelow('src').flatMap((file) =>
      [...read(file).matchAll(/\b(?:finding|warning|fail)\(\s*'([A-Z0-9_]+)',\s*[^,{]*?,\s*\{([^{}]*)\}/g)].flatMap(
        ([, code, args]) => {
          const row = ERRORS[code as ErrorCode]
          const given = args!.split(',').map((arg) => arg.trim().split(':')[0]!.trim())
          const needed = [...`${row.message} ${row.fix}`.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
          const missing = needed.filter((name) => !OPTIONAL.has(name) && !given.includes(name))
          return given.some((arg) => arg.startsWith('...')) ? [] : missing.map((name) => `${file}: ${code} {${name}}`)
        },
      ),
    )
    expect(wrong).toEqual([])
  })
})

function filesBelow(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:ts|js)$/.test(name))
      .map((name) => join(folder, name)),
  )
}
