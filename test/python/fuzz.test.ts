import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { ACCEPTED_DIR } from '../../fixtures/make/files.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { ZappError } from '../../src/errors.ts'
import { parseManifest } from '../../src/format/manifest-parse.ts'
import { makeSmallZapp } from '../archive/helpers/archives.ts'
import { mutate, Random } from '../archive/helpers/mutate.ts'
import { mutateManifest } from './mutate-manifest.ts'
import { ROOT } from './python.ts'

/* Both loaders judge the same mutants. More of them: ZAPP_FUZZ=10000 npx vitest run test/python/fuzz.test.ts */

const COUNT = Number(process.env.ZAPP_FUZZ ?? 1_000)
const FROM = Number(process.env.ZAPP_FUZZ_FROM ?? 0)
const TIMEOUT = 60_000 + COUNT * 20

type Verdict = [opening: string | null, validating: string | null, content: string | null]

/** What the loader in TypeScript says, as fuzz_verdicts.py does. */
async function judgeArchive(bytes: Buffer): Promise<Verdict> {
  const { findings } = await validateArchive(bytes)
  const validating = findings.find(({ severity }) => severity === 'error')?.code ?? null
  try {
    const archive = await openArchive(bytes)
    const [wrong] = await archive.verify()
    if (wrong) return [wrong.code, validating, null]
    const hash = createHash('sha256')
    for (const [path, entry] of archive.entries) {
      hash.update(`${path}\0${entry.size}\0`)
      if (entry.kind === 'dir') continue
      hash.update(`${entry.mode.toString(8)}\0`)
      hash.update(await archive.read(entry))
    }
    hash.update(`${archive.contentDigest} ${await archive.digest()} ${await archive.fileDigest()}`)
    return [null, validating, hash.digest('hex')]
  } catch (error) {
    if (error instanceof ZappError) return [error.code, validating, null]
    throw error
  }
}

/** A stream that gives too many bytes and is broken behind them (FORMAT.md §Layout, pass 8): inflaters stop at other bytes. */
function mayDiffer(python: Verdict, node: Verdict): boolean {
  return [...python.slice(0, 2), ...node.slice(0, 2)].every((code) => code === 'SIZE' || code === 'INFLATE')
}

function judgeManifest(bytes: Buffer): string[] {
  return parseManifest(bytes).findings.map(({ code, line, column, args }) => {
    const place = line === undefined ? 'None:None' : `${line}:${column}`
    return `${code} ${place} ${args.rule ?? ''}`.trim()
  })
}

/** One process judges all of them, while they are made. */
async function* byPython<T>(kind: 'a' | 'm', mutants: Iterable<Buffer>): AsyncGenerator<T> {
  const python = spawn('python3', ['-W', 'error', join(ROOT, 'python/tests/fuzz_verdicts.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
  try {
    for (const mutant of mutants) {
      const head = Buffer.from(`${kind}\0\0\0\0`)
      head.writeUInt32LE(mutant.length, 1)
      python.stdin.write(Buffer.concat([head, mutant]))
      const { value, done } = await lines.next()
      if (done) throw new Error('the Python loader has ended')
      yield JSON.parse(value)
    }
  } finally {
    python.stdin.end()
  }
}

/** Kept until both have seen it. */
function* kept(last: { mutant?: Buffer; seed?: number }, make: (random: Random) => Buffer): Generator<Buffer> {
  for (let seed = FROM; seed < FROM + COUNT; seed++) {
    last.seed = seed
    last.mutant = make(new Random(seed))
    yield last.mutant
  }
}

test(
  `${COUNT} mutated archives get one verdict`,
  async () => {
    const names = readdirSync(ACCEPTED_DIR).filter((name) => name.endsWith('.zapp'))
    const seeds = [makeSmallZapp(), ...names.sort().map((name) => readFileSync(join(ACCEPTED_DIR, name)))]
    const last: { mutant?: Buffer; seed?: number } = {}
    const outcomes = new Map<string, number>()
    const differ: object[] = []
    for await (const python of byPython<Verdict>(
      'a',
      kept(last, (random) => mutate(random.of(seeds), random)),
    )) {
      const node = await judgeArchive(last.mutant!)
      if (JSON.stringify(python) !== JSON.stringify(node) && !mayDiffer(python, node))
        differ.push({ seed: last.seed, node, python })
      const code = node[0] ?? 'valid'
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
    }
    if (process.env.ZAPP_FUZZ)
      console.log(differ.length, Object.fromEntries([...outcomes].sort(([, a], [, b]) => b - a)))
    expect(differ).toEqual([])
    // Mutants that all die of the same cause would prove little.
    expect(outcomes.size).toBeGreaterThan(20)
    expect(outcomes.get('valid')).toBeGreaterThan(0)
  },
  TIMEOUT,
)

test(
  `${COUNT} mutated manifests get one first finding, at one place`,
  async () => {
    const folders = ['fixtures/manifests', 'fixtures/manifests/rejected'].map((folder) => join(ROOT, folder))
    const texts = folders.flatMap((folder) => {
      const names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.includes('utf-16'))
      return names
        .sort()
        .map((name) => readFileSync(join(folder, name), 'utf8'))
        .filter((text) => text !== '')
    })
    const last: { mutant?: Buffer; seed?: number } = {}
    const outcomes = new Map<string, number>()
    const differ: object[] = []
    let others = 0
    for await (const python of byPython<string[]>(
      'm',
      kept(last, (random) => mutateManifest(texts, random)),
    )) {
      const node = judgeManifest(last.mutant!)
      if (python[0] !== node[0]) differ.push({ seed: last.seed, node, python, text: String(last.mutant) })
      else if (JSON.stringify(python) !== JSON.stringify(node)) others++
      const code = node[0]?.split(' ')[0] ?? 'valid'
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
    }
    if (process.env.ZAPP_FUZZ) console.log(differ.length, others, Object.fromEntries(outcomes))
    expect(differ).toEqual([])
    expect(outcomes.size).toBeGreaterThan(8)
    expect(outcomes.get('valid')).toBeGreaterThan(0)
  },
  TIMEOUT,
)
