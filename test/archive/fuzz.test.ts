import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ACCEPTED_DIR } from '../../fixtures/make/files.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { ERRORS, ZappError } from '../../src/errors.ts'
import { makeSmallZapp } from './helpers/archives.ts'
import { mutate, Random } from './helpers/mutate.ts'

/** More of them: ZAPP_FUZZ=100000 npx vitest run test/archive/fuzz.test.ts */
const COUNT = Number(process.env.ZAPP_FUZZ ?? 10_000)

/** The code of the first thing that is wrong; undefined when everything could be read. */
async function outcome(bytes: Buffer): Promise<string | undefined> {
  try {
    const archive = await openArchive(bytes)
    const findings = await archive.verify()
    if (findings.length > 0) return findings[0]!.code
    for await (const portion of archive.readAll()) {
      for (const [entry, content] of portion) expect(content?.length).toBe(entry.size)
    }
    return undefined
  } catch (error) {
    // Anything else is what this test is looking for.
    if (error instanceof ZappError) return error.code
    throw error
  }
}

test(
  `${COUNT} mutated archives end in a code or a valid result, the same for every way in`,
  async () => {
    const seeds = [makeSmallZapp()]
    for (const name of (await readdir(ACCEPTED_DIR)).sort()) {
      if (name.endsWith('.zapp')) seeds.push(await readFile(join(ACCEPTED_DIR, name)))
    }
    const outcomes = new Map<string, number>()
    for (let i = 0; i < COUNT; i++) {
      const random = new Random(i)
      const mutant = mutate(random.of(seeds), random)
      const { valid, findings } = await validateArchive(mutant)
      const code = await outcome(mutant)
      expect(code, `mutant ${i}`).toBe(findings.find(({ severity }) => severity === 'error')?.code)
      expect(valid, `mutant ${i}`).toBe(code === undefined)
      for (const finding of findings) expect(ERRORS, `mutant ${i}`).toHaveProperty(finding.code)
      outcomes.set(code ?? 'valid', (outcomes.get(code ?? 'valid') ?? 0) + 1)
    }
    // Mutants that all die of the same cause would prove little.
    expect(outcomes.size).toBeGreaterThan(30)
    expect(outcomes.get('valid')).toBeGreaterThan(0)
    if (process.env.ZAPP_FUZZ) console.log(Object.fromEntries([...outcomes].sort(([, a], [, b]) => b - a)))
  },
  60_000 + COUNT * 10,
)
