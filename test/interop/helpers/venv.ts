import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shellWord } from '../../../src/format/shell-word.ts'
import { lastLines, needPrograms } from './apt.ts'
import { shell } from './installed.ts'
import { notRun } from './not-run.ts'

const CACHE = join(import.meta.dirname, '../../../build/interop')

/** Debian's, with Debian's packages. */
export const DEBIAN_PYTHON = '/usr/bin/python3'

/**
 * An environment of Debian's Python with packages of the package index, kept in build/interop for the next run.
 *
 * Where they cannot be had, the tests are not run.
 *
 * @param packages as pip takes them
 * @returns the absolute path of its interpreter
 */
export async function venv(...packages: string[]): Promise<string> {
  await needPrograms({ [DEBIAN_PYTHON]: 'python3', gcc: 'gcc', 'python3-config': 'python3-dev', apxs: 'apache2-dev' })
  // Debian leaves it out of Python.
  await shell(`${DEBIAN_PYTHON} -c 'import ensurepip'`, '/').catch(() => needPrograms({ ensurepip: 'python3-venv' }))
  const key = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12)
  const dir = join(CACHE, `venv-${key}`)
  const python = join(dir, 'bin/python')
  const done = join(dir, 'done')
  if (existsSync(done)) return python
  await rm(dir, { recursive: true, force: true })
  await mkdir(CACHE, { recursive: true })
  await shell(`${DEBIAN_PYTHON} -m venv ${dir}`, CACHE)
  // Not from pip's cache: what another Python of this version has compiled there may not run in this one.
  const words = packages.map(shellWord).join(' ')
  await shell(`${python} -m pip install --quiet --disable-pip-version-check --no-cache-dir ${words}`, CACHE).catch(
    (error: Error) => notRun(`these tests need packages of the package index: ${words}\n${lastLines(error)}`),
  )
  await writeFile(done, packages.join('\n'))
  return python
}
